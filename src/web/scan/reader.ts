// Finds QR codes in pictures: zxing-cpp as WebAssembly, from our own origin.
import { type ReaderOptions, prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import wasm from 'zxing-wasm/reader/zxing_reader.wasm?url';

// A frame in which nothing is found costs the most, and most frames are such: no second and third look at it.
const FRAME: ReaderOptions = { formats: ['QRCode'], tryHarder: true, tryRotate: false, tryInvert: false, maxNumberOfSymbols: 1 };
const PICTURE: ReaderOptions = { formats: ['QRCode'], tryHarder: true, tryInvert: true, maxNumberOfSymbols: 1 };

/** Pixels along the longer side that are looked at: more of them make a reading slower and no better. */
const [FRAME_SIDE, PICTURE_SIDE] = [1280, 2400];

let canvas: OffscreenCanvas | undefined;

/** Loads the reader. Rejects if it cannot be had. */
export async function load(): Promise<void> {
  await prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
}

/** The text of a code in a frame of the camera, if there is one. Closes the frame. */
export function readFrame(frame: ImageBitmap): Promise<string | undefined> {
  return read(frame, FRAME, FRAME_SIDE);
}

/** The text of a code in a picture, if there is one: as it is, then smaller, which helps where it is coarse. */
export async function readPicture(file: Blob): Promise<string | undefined> {
  const found = await read(await createImageBitmap(file), PICTURE, PICTURE_SIDE);
  return found ?? read(await createImageBitmap(file), PICTURE, PICTURE_SIDE / 3);
}

async function read(picture: ImageBitmap, options: ReaderOptions, side: number): Promise<string | undefined> {
  const scale = Math.min(1, side / Math.max(picture.width, picture.height));
  const [width, height] = [Math.max(1, Math.round(picture.width * scale)), Math.max(1, Math.round(picture.height * scale))];
  if (canvas?.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true, alpha: false });
  if (!context) throw new Error('no canvas');
  context.drawImage(picture, 0, 0, width, height);
  picture.close();
  const [found] = await readBarcodes(context.getImageData(0, 0, width, height), options);
  return found?.isValid ? found.text : undefined;
}
