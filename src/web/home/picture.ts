// A card as a picture to keep among one's photos: drawn here, so that it works without a network.
import type { KeptCard } from './kept';
import { cardLines, cardWord } from './card';

const [WIDTH, HEIGHT, EDGE] = [1080, 1680, 60];
/** As in design/base.css. */
const COLOURS = { green: ['#00703c', '#ffffff'], yellow: ['#ffd21f', '#1b1a00'] } as const;
const FONT = 'system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif';

/** The address of the QR code's picture. */
export function qrSource({ svg }: KeptCard): string {
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** The card as PNG. Rejects if the browser cannot draw it. */
export async function pictureOf(card: KeptCard): Promise<Blob> {
  const code = new Image();
  code.src = qrSource(card);
  await code.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [WIDTH, HEIGHT];
  const context = canvas.getContext('2d');
  if (!context) throw new Error('no canvas');
  const [ground, ink] = COLOURS[card.colour];
  context.fillStyle = ground;
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = ink;
  context.textBaseline = 'alphabetic';
  write(context, cardWord(card), 800, 130, 190);
  write(context, card.name, 700, 72, 300);
  let y = 375;
  for (const [what, value] of cardLines(card)) {
    write(context, `${what}: ${value}`, 500, 42, y);
    y += 58;
  }
  // The code has its own white edge; every module is as many whole pixels.
  const room = Math.min(WIDTH - 2 * EDGE, HEIGHT - y - EDGE);
  const modules = Number(/viewBox="0 0 (\d+)/.exec(card.svg)?.[1] ?? room);
  const side = modules * Math.max(1, Math.floor(room / modules));
  context.drawImage(code, Math.round((WIDTH - side) / 2), y, side, side);
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no picture'))), 'image/png');
  });
}

/** A line as large as `size`, or as small as it must be to fit. */
function write(context: CanvasRenderingContext2D, text: string, weight: number, size: number, y: number): void {
  context.font = `${weight} ${size}px ${FONT}`;
  const wide = context.measureText(text).width;
  const room = WIDTH - 2 * EDGE;
  if (wide > room) context.font = `${weight} ${Math.floor((size * room) / wide)}px ${FONT}`;
  context.fillText(text, EDGE, y);
}
