/** Pillow's ImageEnhance, to the bit: brightness, color, contrast and sharpness are blends with a degenerate picture. */
import { copyOf } from './geometry.ts';

/** Pillow's L of an RGB pixel (ITU-R 601-2, 16 bits). */
const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;

/** [difference + 255] factor · difference, in the single precision that Pillow blends with. */
const scaled = new Float32Array(511);

function scaleDifferences(factor: number): void {
  const single = Math.fround(factor);
  for (let difference = -255; difference <= 255; difference++) scaled[difference + 255] = single * difference;
}

/** from + factor · (to − from), cut off to a byte; `scaled` holds the factor's products. */
function blend(from: number, to: number): number {
  const value = Math.fround(from + scaled[to - from + 255]!);
  return value <= 0 ? 0 : value >= 255 ? 255 : value | 0;
}

const table = new Uint8Array(256);

/** Replaces every value by its entry of a table of 256. */
export function lookUp(pixels: Uint8Array, entry: (value: number) => number): void {
  for (let value = 0; value < 256; value++) table[value] = entry(value);
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[pixels[i]!]!;
}

/** Factor 0 is black, 1 the picture itself. */
export function brightness(pixels: Uint8Array, _size: number, factor: number): void {
  scaleDifferences(factor);
  lookUp(pixels, (value) => blend(0, value));
}

/** Factor 0 is the gray of the picture's mean, 1 the picture itself. */
export function contrast(pixels: Uint8Array, size: number, factor: number): void {
  let sum = 0;
  if (pixels.length === size * size * 3) {
    for (let i = 0; i < pixels.length; i += 3) sum += luma(pixels[i]!, pixels[i + 1]!, pixels[i + 2]!);
    sum *= 3;
  } else for (let i = 0; i < pixels.length; i++) sum += pixels[i]!;
  const mean = Math.trunc(sum / pixels.length + 0.5);
  scaleDifferences(factor);
  lookUp(pixels, (value) => blend(mean, value));
}

/** Factor 0 is the gray picture, 1 the picture itself; pictures of other than three channels have no color to change. */
export function color(pixels: Uint8Array, size: number, factor: number): void {
  if (pixels.length !== size * size * 3) return;
  scaleDifferences(factor);
  for (let i = 0; i < pixels.length; i += 3) {
    const gray = luma(pixels[i]!, pixels[i + 1]!, pixels[i + 2]!);
    pixels[i] = blend(gray, pixels[i]!);
    pixels[i + 1] = blend(gray, pixels[i + 1]!);
    pixels[i + 2] = blend(gray, pixels[i + 2]!);
  }
}

/** Factor 0 is the picture smoothed by ImageFilter.SMOOTH (neighbors 1, center 5, of 13; the border as it is), 1 itself. */
export function sharpness(pixels: Uint8Array, size: number, factor: number): void {
  const input = copyOf(pixels);
  const channels = pixels.length / (size * size);
  const line = size * channels;
  scaleDifferences(factor);
  for (let y = 1; y < size - 1; y++) {
    for (let i = y * line + channels, end = (y + 1) * line - channels; i < end; i++) {
      const above = i - line;
      const below = i + line;
      const sum =
        input[above - channels]! +
        input[above]! +
        input[above + channels]! +
        input[i - channels]! +
        5 * input[i]! +
        input[i + channels]! +
        input[below - channels]! +
        input[below]! +
        input[below + channels]!;
      pixels[i] = blend(((2 * sum + 13) / 26) | 0, input[i]!);
    }
  }
}
