/** Pixels that a caller gives instead of a file, brought to the channels of a model. */
import { UserError } from '../core/errors.ts';
import { convertChannels, hasAlpha } from './channels.ts';
import type { PixelImage } from './resize.ts';

/** 8-bit pixels, interleaved: rows of width · channels bytes; 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. */
export interface RawPixels {
  readonly width: number;
  readonly height: number;
  /** Default 4, as of ImageData. */
  readonly channels?: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

/** Images of more pixels are refused, decoded or not. */
export const MAX_PIXELS = 100_000_000;

/** Throws a UserError for an image without pixels or with too many; `name` begins the message, e.g. `The image`. */
export function checkSize(name: string, width: number, height: number): void {
  if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0))
    throw new UserError(
      `${name} has no pixels: it is ${width} × ${height}.`,
      'Wait until it has loaded, or leave it out.',
    );
  if (width * height > MAX_PIXELS)
    throw new UserError(
      `${name} has ${width} × ${height} pixels, more than the limit of ${Math.round(MAX_PIXELS / 1e6)} million.`,
      'Scale it down, or remove it.',
    );
}

/** Over white, cut off to whole numbers as libvips does it. */
function flatten(data: Uint8Array, channels: number): Uint8Array {
  const out = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i += channels) {
    const alpha = data[i + channels - 1]!;
    for (let c = 0; c < channels - 1; c++) out[i + c] = Math.trunc((data[i + c]! * alpha + 255 * (255 - alpha)) / 255);
    out[i + channels - 1] = 255;
  }
  return out;
}

/** Checks pixels and converts them: transparency goes over white, unless alpha is wanted. Throws a UserError. */
export function fromRawPixels(pixels: RawPixels, channels: number): PixelImage {
  const { width, height, channels: given = 4, data } = pixels;
  checkSize('The image', width, height);
  if (![1, 2, 3, 4].includes(given) || data.length !== width * height * given)
    throw new UserError(
      `The image has ${data.length} bytes, and ${width} × ${height} pixels of ${given} channels are ${width * height * given}.`,
      'Give data of width · height · channels bytes, row after row, with 1 to 4 channels.',
    );
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.length);
  const opaque = hasAlpha(given) && !hasAlpha(channels) ? flatten(bytes, given) : bytes;
  return { width, height, channels, data: convertChannels(opaque, given, channels) };
}
