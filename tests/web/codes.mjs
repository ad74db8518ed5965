// QR codes as pictures, and films of them for the browser's fake camera: made by the service, or for texts that it would never
// sign by a library, and drawn, turned, blurred and spoilt by the browser.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { packages, root } from './harness.mjs';

const writer = import(packages.resolve('zxing-wasm/writer'));

/** The SVG of a QR code of any text. */
export async function drawn(text) {
  const { prepareZXingModule, writeBarcode } = await writer;
  const wasmBinary = readFileSync(join(root, 'src/web/node_modules/zxing-wasm/dist/writer/zxing_writer.wasm')).buffer;
  prepareZXingModule({ overrides: { wasmBinary } });
  const { svg, error } = await writeBarcode(text, { format: 'QRCode', options: 'ecLevel=M', addQuietZones: true });
  if (error) throw new Error(error);
  return { media: 'image/svg+xml', bytes: Buffer.from(svg) };
}

/** The service's own picture of a certificate. */
export async function served({ url, tokens }, uvci, profile = 'compact') {
  const headers = { Authorization: `Bearer ${tokens.ministry}` };
  const response = await fetch(`${url}/v1/certificates/${encodeURIComponent(uvci)}.png?profile=${profile}`, { headers });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return { media: 'image/png', bytes: Buffer.from(await response.arrayBuffer()) };
}

export const [WIDTH, HEIGHT] = [640, 480];

/** How a code is held before the camera. */
export const HELD = {
  clean: { size: 360 },
  turned: { size: 330, turn: 17, blur: 0.8, noise: 26 },
  blurred: { size: 380, turn: -4, blur: 1.5, noise: 12 },
  small: { size: 190, blur: 0.3 },
};

/** The luminance of a frame that shows `picture` as it is `held`; nothing but a desk if there is none. */
async function frame(page, picture, held) {
  const args = { url: picture && `data:${picture.media};base64,${picture.bytes.toString('base64')}`, held, WIDTH, HEIGHT };
  const base64 = await page.evaluate(async ({ url, held, WIDTH, HEIGHT }) => {
    const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
    const context = canvas.getContext('2d');
    context.fillStyle = '#8a8f88';
    context.fillRect(0, 0, WIDTH, HEIGHT);
    if (url) {
      const image = new Image();
      image.src = url;
      await image.decode();
      context.translate(WIDTH / 2, HEIGHT / 2);
      context.rotate(((held.turn ?? 0) * Math.PI) / 180);
      context.filter = held.blur ? `blur(${held.blur}px)` : 'none';
      context.imageSmoothingQuality = 'high';
      const { size } = held;
      context.fillStyle = '#fff';
      context.fillRect(-size / 2 - 12, -size / 2 - 12, size + 24, size + 24);
      context.drawImage(image, -size / 2, -size / 2, size, size);
    }
    const { data } = context.getImageData(0, 0, WIDTH, HEIGHT);
    let seed = 1;
    let text = '';
    for (let i = 0; i < data.length; i += 4) {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      const noise = ((seed >> 16) % 201) / 100 - 1;
      const luminance = data[i] * 0.299 + data[i + 1] * 0.587 + data[i + 2] * 0.114 + noise * (held.noise ?? 0);
      text += String.fromCharCode(Math.max(16, Math.min(235, 16 + luminance * 0.859)));
    }
    return btoa(text);
  }, args);
  return Buffer.from(base64, 'base64');
}

const FRAMES_A_SECOND = 20;

/** Writes a film to `path`: each of `scenes`, `{ picture, held, seconds }`, one after the other. Chromium repeats it. */
export async function film(browser, path, scenes) {
  const page = await browser.newPage();
  const out = openSync(path, 'w');
  writeSync(out, `YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FRAMES_A_SECOND}:1 Ip A1:1 C420jpeg\n`);
  const grey = Buffer.alloc((WIDTH / 2) * (HEIGHT / 2) * 2, 128);
  for (const { picture, held = HELD.clean, seconds } of scenes) {
    const luminance = await frame(page, picture, held);
    for (let left = Math.round(seconds * FRAMES_A_SECOND); left > 0; left--) {
      writeSync(out, 'FRAME\n');
      writeSync(out, luminance);
      writeSync(out, grey);
    }
  }
  closeSync(out);
  await page.close();
  return path;
}
