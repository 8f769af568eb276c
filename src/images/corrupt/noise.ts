import type { Random } from '../../core/random.ts';
import type { Pixels } from './pixels.ts';

/** Adds normal noise of the given standard deviation (of values in 0 … 1) to every value. */
export function gaussianNoise({ data }: Pixels, deviation: number, rng: Random): Uint8Array {
  // Assigning to a clamped array rounds and clips.
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) out[i] = data[i]! + 255 * deviation * rng.normal();
  return new Uint8Array(out.buffer);
}

/** Replaces every value by a Poisson count of light: a white pixel gets `photons` on average. */
export function shotNoise({ data }: Pixels, photons: number, rng: Random): Uint8Array {
  const tables = Array.from({ length: 256 }, (_, value) => poissonTable((value / 255) * photons));
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) {
    const table = tables[data[i]!]!;
    const u = rng.uniform();
    let count = 0;
    while (count < table.length && table[count]! < u) count++;
    out[i] = (255 * count) / photons;
  }
  return new Uint8Array(out.buffer);
}

/** Cumulative probabilities of a Poisson count, up to where nothing is left. */
function poissonTable(mean: number): Float64Array {
  const length = Math.ceil(mean + 8 * Math.sqrt(mean)) + 2;
  const table = new Float64Array(length);
  let probability = Math.exp(-mean);
  let sum = 0;
  for (let count = 0; count < length; count++) {
    sum += probability;
    table[count] = sum;
    probability *= mean / (count + 1);
  }
  return table;
}
