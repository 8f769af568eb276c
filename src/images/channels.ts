/** Pixels with other channels: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA; interleaved bytes. */

/** Gray of an RGB pixel as Pillow's L (ITU-R 601-2, 16 bits); of a gray one, itself. */
const luma = (r: number, g: number, b: number): number => (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;

/** Whether an image of so many channels has an alpha channel. */
export const hasAlpha = (channels: number): boolean => channels === 2 || channels === 4;

/** Converts between channel counts; alpha is opaque where there was none, and left out where it is not wanted. */
export function convertChannels(data: Uint8Array, from: number, to: number): Uint8Array {
  if (from === to) return data;
  const pixels = data.length / from;
  const out = new Uint8Array(pixels * to);
  const colored = from >= 3;
  for (let i = 0, p = 0, q = 0; i < pixels; i++, p += from, q += to) {
    const r = data[p]!;
    const g = colored ? data[p + 1]! : r;
    const b = colored ? data[p + 2]! : r;
    if (to < 3) out[q] = luma(r, g, b);
    else {
      out[q] = r;
      out[q + 1] = g;
      out[q + 2] = b;
    }
    if (hasAlpha(to)) out[q + to - 1] = hasAlpha(from) ? data[p + from - 1]! : 255;
  }
  return out;
}
