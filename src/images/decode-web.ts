/** Anything that shows a picture in a browser → 8-bit pixels. Only decoding is the browser's; resizing is ours, so that all platforms agree. */
import { UserError } from '../core/errors.ts';
import { convertChannels, hasAlpha } from './channels.ts';
import { checkSize, fromRawPixels, type RawPixels } from './raw-pixels.ts';
import type { PixelImage } from './resize.ts';
import { describeBytes, sniffImage } from './sniff.ts';

/** A picture on the page, a frame, an encoded file, its address, or pixels. */
export type WebImage =
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap
  | VideoFrame
  | ImageData
  | RawPixels
  | Blob
  | ArrayBuffer
  | Uint8Array<ArrayBuffer>
  | URL
  | string;

/** What is read off a canvas at a time: browsers limit its size. */
const STRIP_PIXELS = 1 << 22;

/** Pixels of what can be drawn: white behind it, unless alpha is wanted. */
function drawnPixels(source: CanvasImageSource, width: number, height: number, channels: number): PixelImage {
  checkSize('The image', width, height);
  const rows = Math.min(height, Math.max(1, Math.floor(STRIP_PIXELS / width)));
  const context = new OffscreenCanvas(width, rows).getContext('2d', { willReadFrequently: true })!;
  context.fillStyle = '#ffffff';
  const data = new Uint8Array(width * height * channels);
  try {
    for (let y = 0; y < height; y += rows) {
      const count = Math.min(rows, height - y);
      if (hasAlpha(channels)) context.clearRect(0, 0, width, count);
      else context.fillRect(0, 0, width, count);
      context.drawImage(source, 0, y, width, count, 0, 0, width, count);
      const strip = new Uint8Array(context.getImageData(0, 0, width, count).data.buffer);
      data.set(convertChannels(strip, 4, channels), y * width * channels);
    }
  } catch (error) {
    if (!(error instanceof DOMException && error.name === 'SecurityError')) throw error;
    throw new UserError(
      'The browser does not let this page read the image, because it comes from another site.',
      'Set crossorigin="anonymous" on the element, and let that site send Access-Control-Allow-Origin.',
    );
  }
  return { width, height, channels, data };
}

/** Decodes an encoded file: upright by its EXIF rotation, colors brought to sRGB by its profile, the first frame of several. */
async function decodeBlob(blob: Blob, name: string, channels: number): Promise<PixelImage> {
  const bitmap = await createImageBitmap(blob).catch(async (error: unknown) => {
    const head = new Uint8Array(await blob.slice(0, 512).arrayBuffer());
    const format = sniffImage(head);
    if (!format)
      throw new UserError(
        `${name} is not an image: it is ${describeBytes(head)}.`,
        'Use JPEG, PNG, WebP, GIF or AVIF files.',
      );
    throw new UserError(
      `${name} is a ${format} that this browser can't decode (${error instanceof Error ? error.message : error}).`,
      'It may be damaged, or of a kind that this browser does not know; JPEG, PNG and WebP are known everywhere.',
    );
  });
  try {
    return drawnPixels(bitmap, bitmap.width, bitmap.height, channels);
  } finally {
    bitmap.close();
  }
}

async function fetchImage(url: string | URL, get: typeof fetch): Promise<Blob> {
  const shown = String(url).slice(0, 200);
  const response = await get(url).catch((error: unknown) => {
    throw new UserError(
      `${shown} could not be fetched (${error instanceof Error ? error.message : error}).`,
      'Check the address; another site must send Access-Control-Allow-Origin.',
    );
  });
  if (!response.ok)
    throw new UserError(`${shown} could not be fetched: the server answered ${response.status}.`, 'Check the address.');
  return await response.blob();
}

/** Waits until an element of the page has its picture. */
async function loaded(image: HTMLImageElement): Promise<void> {
  await image.decode().catch(() => {
    throw new UserError(
      `The image element could not load ${image.currentSrc || image.src || 'a picture: it has no src'}.`,
      'Check the address, and that the file is a picture.',
    );
  });
}

/** Decodes to 8-bit pixels of so many channels (3: RGB, transparency over white). Throws a UserError that says what is wrong. */
export async function decodeWebImage(
  image: WebImage,
  channels: number,
  get: typeof fetch = globalThis.fetch,
): Promise<PixelImage> {
  if (typeof image === 'string' || image instanceof URL)
    return await decodeBlob(await fetchImage(image, get), String(image).slice(0, 200), channels);
  if (image instanceof Blob) return await decodeBlob(image, (image as Partial<File>).name ?? 'The image', channels);
  if (image instanceof ArrayBuffer || image instanceof Uint8Array)
    return await decodeBlob(new Blob([image]), 'The image', channels);
  if ('naturalWidth' in image) {
    await loaded(image);
    return drawnPixels(image, image.naturalWidth, image.naturalHeight, channels);
  }
  if ('videoWidth' in image) {
    if (image.readyState < 2)
      throw new UserError('The video has no frame yet.', 'Wait for its event "loadeddata", or play it.');
    // A snapshot, since a playing video goes on while it is read.
    const bitmap = await createImageBitmap(image);
    try {
      return drawnPixels(bitmap, bitmap.width, bitmap.height, channels);
    } finally {
      bitmap.close();
    }
  }
  if ('displayWidth' in image) return drawnPixels(image, image.displayWidth, image.displayHeight, channels);
  if ('data' in image) return fromRawPixels(image as RawPixels, channels);
  if ('width' in image && 'height' in image) return drawnPixels(image, image.width, image.height, channels);
  throw new UserError(
    `This is no image: ${Object.prototype.toString.call(image)}.`,
    'Give an image, canvas or video element, a bitmap, a file (Blob), its bytes, or its address.',
  );
}
