/** What is kept of each image to find its likenesses: a 64-bit difference hash, and the picture at 16 × 16. */
import { type PixelImage, resizeRegion } from '../../images/resize.ts';

/** Side of the small picture, in pixels. */
export const SIDE = 16;

export interface Fingerprint {
  /** dHash: whether each of 8 × 8 gray cells is darker than its right neighbor; two words of 32 bits. */
  readonly hash: readonly [number, number];
  /** [SIDE][SIDE][3] RGB. */
  readonly small: Uint8Array;
}

/** Gray of an RGB pixel (BT.601). */
export const grayAt = (rgb: Uint8Array, pixel: number): number =>
  0.299 * rgb[3 * pixel]! + 0.587 * rgb[3 * pixel + 1]! + 0.114 * rgb[3 * pixel + 2]!;

/** Squeezes an image to width × height: [height][width][3]. */
export function shrink(image: PixelImage, width: number, height: number): Uint8Array {
  const out = new Uint8Array(width * height * 3);
  const whole = { x: 0, y: 0, width: image.width, height: image.height };
  resizeRegion(image, whole, { out, offset: 0, width, height });
  return out;
}

/**
 * Fingerprint of an image, whatever its size and shape (they are squeezed alike). Neighboring bits go to different
 * quarters of the hash, so that an even background does not make one quarter the same for all images.
 */
export function fingerprintOf(image: PixelImage): Fingerprint {
  const cells = shrink(image, 9, 8);
  const words: [number, number] = [0, 0];
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      if (!(grayAt(cells, y * 9 + x) < grayAt(cells, y * 9 + x + 1))) continue;
      const quarter = (x + y) & 3;
      words[quarter >> 1]! |= 1 << (16 * (quarter & 1) + 2 * y + (x >> 2));
    }
  }
  return { hash: words, small: shrink(image, SIDE, SIDE) };
}

/** Bits set in a 32-bit word. */
export function countBits(word: number): number {
  let n = word - ((word >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/** Largest difference between the channels of a pixel, over the small picture; 0 for a gray one. */
export function colorfulness({ small }: Fingerprint): number {
  let most = 0;
  for (let i = 0; i < small.length; i += 3) {
    const [r, g, b] = [small[i]!, small[i + 1]!, small[i + 2]!];
    most = Math.max(most, Math.max(r, g, b) - Math.min(r, g, b));
  }
  return most;
}

/** Standard deviation of the gray levels of the small picture; about 0 for an empty image. */
export function contrast({ small }: Fingerprint): number {
  let sum = 0;
  let squares = 0;
  const pixels = SIDE * SIDE;
  for (let i = 0; i < pixels; i++) {
    const gray = grayAt(small, i);
    sum += gray;
    squares += gray * gray;
  }
  return Math.sqrt(Math.max(0, squares / pixels - (sum / pixels) ** 2));
}
