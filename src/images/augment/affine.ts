import type { Random } from '../../core/random.ts';
import type { Augment } from './options.ts';

/** Row-major 2×3 matrix from output to input pixel coordinates, relative to the center. */
export type Matrix = readonly [number, number, number, number, number, number];

/** Draws a random rotation, shift, scale and shear as the inverse map (output → input). */
export function randomAffine(options: NonNullable<Augment['affine']>, size: number, rng: Random): Matrix {
  const around = (limit: number): number => (2 * rng.uniform() - 1) * limit;
  const angle = (around(options.degrees) * Math.PI) / 180;
  const [dx, dy] = [around(options.translate) * size, around(options.translate) * size];
  const scale = options.scale[0] + (options.scale[1] - options.scale[0]) * rng.uniform();
  const shear = Math.tan((around(options.shear ?? 0) * Math.PI) / 180);
  const [cos, sin] = [Math.cos(angle) / scale, Math.sin(angle) / scale];
  const [a, b, c, d] = [cos, sin - shear * cos, -sin, cos + shear * sin];
  return [a, b, -(a * dx + b * dy), c, d, -(c * dx + d * dy)];
}

/** Applies the inverse map to [size, size, channels] bytes, bilinear; what lies outside continues the border or is white. */
export function applyAffine(
  input: Uint8Array,
  out: Uint8Array,
  offset: number,
  size: number,
  matrix: Matrix,
  fill: 'border' | 'white' = 'border',
  channels = 3,
): void {
  const [a, b, c, d, e, f] = matrix;
  const center = (size - 1) / 2;
  const limit = size - 1;
  const white = fill === 'white';
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const to = offset + (y * size + x) * channels;
      let u = a * (x - center) + b * (y - center) + c + center;
      let v = d * (x - center) + e * (y - center) + f + center;
      if (white && (u < -0.5 || v < -0.5 || u > limit + 0.5 || v > limit + 0.5)) {
        out.fill(255, to, to + channels);
        continue;
      }
      u = Math.max(0, Math.min(limit, u));
      v = Math.max(0, Math.min(limit, v));
      const u0 = u | 0;
      const v0 = v | 0;
      const fu = u - u0;
      const fv = v - v0;
      const right = u0 < limit ? channels : 0;
      const below = v0 < limit ? size * channels : 0;
      const p = (v0 * size + u0) * channels;
      for (let channel = 0; channel < channels; channel++) {
        const q = p + channel;
        const top = input[q]! + (input[q + right]! - input[q]!) * fu;
        const bottom = input[q + below]! + (input[q + below + right]! - input[q + below]!) * fu;
        out[to + channel] = top + (bottom - top) * fv + 0.5;
      }
    }
  }
}
