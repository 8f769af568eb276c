/** Pictures drawn from a seed, with the falling spectrum of photographs: for checks where there are no real images. */
import { random } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';

/**
 * So many uint8 pictures `[N, size, size, C]`: smooth noise of ever finer grain and ever less contrast, the same in all
 * channels but for a tint. The same seed and size give the same bytes.
 */
export function seededImages(seed: number, count: number, size: number, channels: number): Tensor {
  const data = new Uint8Array(count * size * size * channels);
  for (let n = 0; n < count; n++) {
    const light = smoothNoise(size, seed, n, 0);
    for (let c = 0; c < channels; c++) {
      const tint = smoothNoise(size, seed, n, c + 1);
      const base = 60 + 120 * random(seed, n, c + 1, 99).uniform();
      for (let p = 0; p < size * size; p++)
        data[(n * size * size + p) * channels + c] = Math.max(0, Math.min(255, base + 150 * light[p]! + 60 * tint[p]!));
    }
  }
  return { shape: [count, size, size, channels], data };
}

/** Noise of about −1 … 1, `[size, size]`: grids of 2, 4, 8 … cells a side, each of half the contrast of the one before. */
function smoothNoise(size: number, ...words: number[]): Float32Array {
  const out = new Float32Array(size * size);
  for (let cells = 2, contrast = 0.8; cells <= size; cells *= 2, contrast /= 2) {
    const rng = random(...words, cells);
    const side = cells + 1;
    const grid = Float32Array.from({ length: side * side }, () => contrast * (2 * rng.uniform() - 1));
    for (let y = 0; y < size; y++) {
      const gy = (y * cells) / size;
      const y0 = Math.floor(gy);
      const v = gy - y0;
      for (let x = 0; x < size; x++) {
        const gx = (x * cells) / size;
        const x0 = Math.floor(gx);
        const u = gx - x0;
        const at = y0 * side + x0;
        const above = grid[at]! * (1 - u) + grid[at + 1]! * u;
        const below = grid[at + side]! * (1 - u) + grid[at + side + 1]! * u;
        out[y * size + x]! += above * (1 - v) + below * v;
      }
    }
  }
  return out;
}
