// Finds QR codes in pictures: zxing-cpp as WebAssembly, from our own origin.
import { type ReaderOptions, prepareZXingModule, readBarcodes } from 'zxing-wasm/reader';
import wasm from 'zxing-wasm/reader/zxing_reader.wasm?url';
import { FRAME_SIDE, pixelsOf } from './pixels';

// A frame in which nothing is found costs the most, and most frames are such: no second and third look at it.
const FRAME: ReaderOptions = { formats: ['QRCode'], tryHarder: true, tryRotate: false, tryInvert: false, maxNumberOfSymbols: 1 };
const PICTURE: ReaderOptions = { formats: ['QRCode'], tryHarder: true, tryInvert: true, maxNumberOfSymbols: 1 };

/** Pixels along the longer side of a picture: as it is, then smaller, which helps where it is coarse. */
const PICTURE_SIDES = [2400, 800];

/** Loads the reader. Rejects if it cannot be had. */
export async function load(): Promise<void> {
  await prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
}

/** The text of a code in a frame of the camera, if there is one. Closes the frame. */
export async function readFrame(frame: ImageBitmap | ImageData): Promise<string | undefined> {
  if (!('close' in frame)) return read(frame, FRAME);
  const pixels = pixelsOf(frame, FRAME_SIDE);
  frame.close();
  return read(pixels, FRAME);
}

/** The text of a code in a picture, if there is one. */
export async function readPicture(file: Blob): Promise<string | undefined> {
  const picture = await createImageBitmap(file);
  for (const side of PICTURE_SIDES) {
    const found = await read(pixelsOf(picture, side), PICTURE);
    if (found !== undefined) return found;
  }
  return undefined;
}

async function read(pixels: ImageData, options: ReaderOptions): Promise<string | undefined> {
  const [found] = await readBarcodes(pixels, options);
  return found?.isValid ? found.text : undefined;
}
