// Pictures as pixels: in the worker where it has a canvas (OffscreenCanvas), else on the page.

/** True if the worker can draw: then frames are handed to it as they are, and the page has nothing to do. */
export const WORKER_DRAWS = typeof OffscreenCanvas !== 'undefined';

/** Pixels along the longer side of a frame: more of them make a reading slower and no better. */
export const FRAME_SIDE = 1280;

let canvas: OffscreenCanvas | HTMLCanvasElement | undefined;

/** The pixels of `picture`, at most `side` along its longer side. */
export function pixelsOf(picture: ImageBitmap | HTMLVideoElement, side: number): ImageData {
  const [width, height] = 'videoWidth' in picture ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
  const scale = Math.min(1, side / Math.max(width, height));
  const [to, down] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  canvas ??= WORKER_DRAWS ? new OffscreenCanvas(to, down) : document.createElement('canvas');
  if (canvas.width !== to || canvas.height !== down) [canvas.width, canvas.height] = [to, down];
  const context = canvas.getContext('2d', { willReadFrequently: true, alpha: false }) as
    | OffscreenCanvasRenderingContext2D
    | CanvasRenderingContext2D
    | null;
  if (!context) throw new Error('no canvas');
  context.drawImage(picture, 0, 0, to, down);
  return context.getImageData(0, 0, to, down);
}
