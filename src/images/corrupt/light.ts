import type { Random } from '../../core/random.ts';
import type { Pixels } from './pixels.ts';

/** Adds to the value of HSV (0 … 1); hue and saturation stay. */
export function brightness({ data }: Pixels, added: number): Uint8Array {
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i += 3) {
    const value = Math.max(data[i]!, data[i + 1]!, data[i + 2]!);
    const target = Math.min(255, value + 255 * added);
    for (let c = i; c < i + 3; c++) out[c] = value === 0 ? target : (data[c]! * target) / value;
  }
  return new Uint8Array(out.buffer);
}

/** Draws every value towards the mean of its channel; `left` is the part of the distance that stays. */
export function contrast({ data }: Pixels, left: number): Uint8Array {
  const means = [0, 0, 0];
  for (let i = 0; i < data.length; i++) means[i % 3]! += data[i]!;
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) {
    const mean = (3 * means[i % 3]!) / data.length;
    out[i] = mean + left * (data[i]! - mean);
  }
  return new Uint8Array(out.buffer);
}

const OCTAVES = 5;

/** Mixes the picture with gray fog: picture + weight · fog, scaled so that the brightest value stays what it was. */
export function fog({ data, size }: Pixels, weight: number, rng: Random): Uint8Array {
  const haze = clouds(size, rng);
  const brightest = data.reduce((most, value) => Math.max(most, value), 0) / 255;
  const scale = brightest / (brightest + weight) || 1 / (1 + weight);
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) out[i] = 255 * scale * (data[i]! / 255 + weight * haze[Math.floor(i / 3)]!);
  return new Uint8Array(out.buffer);
}

/** Smooth noise `[size, size]` in 0 … 1: grids of random values, each twice as fine and half as strong as the one before. */
function clouds(size: number, rng: Random): Float64Array {
  const sum = new Float64Array(size * size);
  for (let octave = 0; octave < OCTAVES; octave++) {
    const cells = 2 ** (octave + 1);
    const grid = Float64Array.from({ length: (cells + 1) ** 2 }, () => rng.uniform());
    for (let y = 0; y < size; y++) {
      const v = (y / size) * cells;
      const [row, fv] = [Math.floor(v), v % 1];
      for (let x = 0; x < size; x++) {
        const u = (x / size) * cells;
        const [column, fu] = [Math.floor(u), u % 1];
        const at = row * (cells + 1) + column;
        const top = grid[at]! * (1 - fu) + grid[at + 1]! * fu;
        const bottom = grid[at + cells + 1]! * (1 - fu) + grid[at + cells + 2]! * fu;
        sum[y * size + x]! += (top * (1 - fv) + bottom * fv) / 2 ** octave;
      }
    }
  }
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of sum) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return sum.map((value) => (value - low) / (high - low || 1));
}
