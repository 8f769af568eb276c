/** What JPEG loses: blocks of 8 × 8 through the DCT, quantized by the standard's tables (ITU T.81, Annex K), and back. */
import type { Pixels } from './pixels.ts';

/** Quantization at quality 50, row by row. */
const LUMINANCE = [
  ...[16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55],
  ...[14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62],
  ...[18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92],
  ...[49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99],
];
const CHROMINANCE = Array.from({ length: 64 }, (_, i) => {
  const corner = [17, 18, 24, 47, 18, 21, 26, 66, 24, 26, 56, 99, 47, 66, 99, 99];
  return i % 8 < 4 && i < 32 ? corner[(i >> 3) * 4 + (i % 8)]! : 99;
});

/** Orthonormal DCT-II: [frequency][position]. */
const DCT = Float64Array.from({ length: 64 }, (_, i) => {
  const [k, n] = [i >> 3, i % 8];
  return (k === 0 ? Math.sqrt(1 / 8) : 0.5) * Math.cos(((2 * n + 1) * k * Math.PI) / 16);
});

/** The quality scale of libjpeg, 1 to 100. */
function quantization(table: readonly number[], quality: number): number[] {
  const scale = quality < 50 ? 5000 / quality : 200 - 2 * quality;
  return table.map((value) => Math.max(1, Math.min(255, Math.floor((value * scale + 50) / 100))));
}

/** Quantizes as a JPEG of the given quality would, without subsampling of color. */
export function jpegCompression({ data, size }: Pixels, quality: number): Uint8Array {
  const planes = toYcc(data);
  const tables = [LUMINANCE, CHROMINANCE, CHROMINANCE].map((table) => quantization(table, quality));
  planes.forEach((plane, channel) => {
    for (let y = 0; y < size; y += 8) for (let x = 0; x < size; x += 8) block(plane, size, x, y, tables[channel]!);
  });
  const [luma, blue, red] = planes as [Float32Array, Float32Array, Float32Array];
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0, p = 0; p < luma.length; p++, i += 3) {
    out[i] = luma[p]! + 128 + 1.402 * red[p]!;
    out[i + 1] = luma[p]! + 128 - 0.344136 * blue[p]! - 0.714136 * red[p]!;
    out[i + 2] = luma[p]! + 128 + 1.772 * blue[p]!;
  }
  return new Uint8Array(out.buffer);
}

/** RGB bytes as Y, Cb and Cr (JFIF), whole numbers around zero. */
function toYcc(data: Uint8Array): Float32Array[] {
  const planes = [0, 1, 2].map(() => new Float32Array(data.length / 3)) as [Float32Array, Float32Array, Float32Array];
  for (let i = 0, p = 0; i < data.length; i += 3, p++) {
    const [r, g, b] = [data[i]!, data[i + 1]!, data[i + 2]!];
    planes[0][p] = Math.round(0.299 * r + 0.587 * g + 0.114 * b) - 128;
    planes[1][p] = Math.round(-0.168736 * r - 0.331264 * g + 0.5 * b);
    planes[2][p] = Math.round(0.5 * r - 0.418688 * g - 0.081312 * b);
  }
  return planes;
}

const values = new Float64Array(64);
const half = new Float64Array(64);

/** Quantizes one block in place; what lies beyond the border repeats it. */
function block(plane: Float32Array, size: number, x: number, y: number, table: readonly number[]): void {
  const at = (i: number): number => Math.min(size - 1, y + (i >> 3)) * size + Math.min(size - 1, x + (i % 8));
  for (let i = 0; i < 64; i++) values[i] = plane[at(i)]!;
  transform(false);
  // As in libjpeg halves go away from zero: in even areas they are frequent.
  for (let i = 0; i < 64; i++) {
    const level = Math.floor(Math.abs(values[i]!) / table[i]! + 0.5 + 1e-9);
    values[i] = Math.sign(values[i]!) * level * table[i]!;
  }
  transform(true);
  for (let i = 0; i < 64; i++) if (x + (i % 8) < size && y + (i >> 3) < size) plane[at(i)] = values[i]!;
}

/** The DCT of `values` along both axes, or its inverse, in place. */
function transform(inverse: boolean): void {
  const matrix = (k: number, n: number): number => (inverse ? DCT[n * 8 + k]! : DCT[k * 8 + n]!);
  for (let row = 0; row < 8; row++)
    for (let k = 0; k < 8; k++) {
      let sum = 0;
      for (let n = 0; n < 8; n++) sum += matrix(k, n) * values[row * 8 + n]!;
      half[row * 8 + k] = sum;
    }
  for (let column = 0; column < 8; column++)
    for (let k = 0; k < 8; k++) {
      let sum = 0;
      for (let n = 0; n < 8; n++) sum += matrix(k, n) * half[n * 8 + column]!;
      values[k * 8 + column] = sum;
    }
}
