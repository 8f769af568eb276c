/** Generated images have the statistics of photographs: spectrum, colors, edges. */
import { describe, expect, test } from 'vitest';
import { naturalBatches, naturalImage } from '../../src/images/natural.ts';

const SIDE = 64;
const COUNT = 48;
const images = Array.from({ length: COUNT }, (_, seed) => naturalImage(SIDE, 3, seed));

/** Discrete Fourier transform of a row, plainly. */
function dft(re: Float64Array, im: Float64Array): [Float64Array, Float64Array] {
  const out: [Float64Array, Float64Array] = [new Float64Array(SIDE), new Float64Array(SIDE)];
  for (let k = 0; k < SIDE; k++) {
    for (let n = 0; n < SIDE; n++) {
      const [cos, sin] = [COS[(k * n) % SIDE]!, SIN[(k * n) % SIDE]!];
      out[0][k]! += re[n]! * cos + im[n]! * sin;
      out[1][k]! += im[n]! * cos - re[n]! * sin;
    }
  }
  return out;
}
const angles = Array.from({ length: SIDE }, (_, i) => (2 * Math.PI * i) / SIDE);
const [COS, SIN] = [angles.map(Math.cos), angles.map(Math.sin)];

/** Power by spatial frequency in cycles an image, of gray behind a Hann window. */
function spectrumOf(gray: Float64Array): Float64Array {
  const mean = gray.reduce((a, b) => a + b, 0) / gray.length;
  const hann = (i: number): number => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / SIDE);
  const windowed = gray.map((value, i) => (value - mean) * hann(i % SIDE) * hann(Math.floor(i / SIDE)));
  const rows = angles.map((_, y) => dft(windowed.subarray(y * SIDE, (y + 1) * SIDE), new Float64Array(SIDE)));
  const columns = angles.map((_, x) =>
    dft(
      Float64Array.from(rows, ([re]) => re[x]!),
      Float64Array.from(rows, ([, im]) => im[x]!),
    ),
  );
  const [power, count] = [new Float64Array(SIDE / 2), new Float64Array(SIDE / 2)];
  columns.forEach(([re, im], x) => {
    for (let y = 0; y < SIDE; y++) {
      const f = Math.round(Math.hypot(Math.min(x, SIDE - x), Math.min(y, SIDE - y)));
      if (f === 0 || f >= SIDE / 2) continue;
      power[f]! += re[y]! ** 2 + im[y]! ** 2;
      count[f]!++;
    }
  });
  return power.map((sum, f) => (count[f] ? sum / count[f]! : 0));
}

/** Slope of a line through points. */
function slope(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  return mean(x.map((value, i) => (value - mx) * (y[i]! - my))) / mean(x.map((value) => (value - mx) ** 2));
}

const channel = (pixels: Uint8Array, c: number): Float64Array =>
  Float64Array.from({ length: pixels.length / 3 }, (_, i) => pixels[3 * i + c]! / 255);
const planes = [0, 1, 2].map((c) => images.map((pixels) => channel(pixels, c)));
const grays = images.map((_, n) => planes[0]![n]!.map((r, i) => (r + planes[1]![n]![i]! + planes[2]![n]![i]!) / 3));

/** Slope of log amplitude over log frequency. */
const amplitudeSlope = (power: Float64Array): number => {
  const frequencies = Array.from({ length: 19 }, (_, i) => i + 2);
  return slope(
    frequencies.map(Math.log),
    frequencies.map((f) => 0.5 * Math.log(power[f]!)),
  );
};

describe('natural images', () => {
  test('have an amplitude spectrum of about 1/f, all of them and each', () => {
    const spectra = grays.map(spectrumOf);
    const mean = spectra[0]!.map((_, f) => spectra.reduce((sum, one) => sum + one[f]!, 0));
    expect(amplitudeSlope(mean)).toBeLessThan(-0.95);
    expect(amplitudeSlope(mean)).toBeGreaterThan(-1.4);
    const each = spectra.map(amplitudeSlope);
    expect(Math.max(...each)).toBeLessThan(-0.6);
    expect(Math.min(...each)).toBeGreaterThan(-1.8);
  });

  test('have colors that go together as in photographs: red and green most, blue and red least', () => {
    const all = planes.map((images) => images.flatMap((plane) => [...plane]));
    const correlation = (a: number, b: number): number =>
      slope(all[a]!, all[b]!) * Math.sqrt(slope(all[b]!, all[a]!) / slope(all[a]!, all[b]!));
    const [rg, gb, rb] = [correlation(0, 1), correlation(1, 2), correlation(0, 2)];
    expect(rg).toBeGreaterThan(gb);
    expect(gb).toBeGreaterThan(rb - 0.02);
    for (const value of [rg, gb, rb]) {
      expect(value).toBeGreaterThan(0.8);
      expect(value).toBeLessThan(0.99);
    }
  });

  test('are lit differently, with contrast, edges and few clipped values', () => {
    const means = grays.map((gray) => gray.reduce((a, b) => a + b, 0) / gray.length);
    const deviations = grays.map((gray, n) =>
      Math.sqrt(gray.reduce((sum, value) => sum + (value - means[n]!) ** 2, 0) / gray.length),
    );
    const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
    expect(average(means)).toBeGreaterThan(0.35);
    expect(average(means)).toBeLessThan(0.55);
    expect(Math.max(...means) - Math.min(...means)).toBeGreaterThan(0.2);
    expect(average(deviations)).toBeGreaterThan(0.12);
    expect(average(deviations)).toBeLessThan(0.28);
    const clipped = images.flatMap((pixels) => [...pixels]).filter((value) => value === 0 || value === 255).length;
    expect(clipped / (COUNT * SIDE * SIDE * 3)).toBeLessThan(0.15);
    // Edges: steps between neighbors are mostly small, and some very large (a normal distribution has a kurtosis of 3).
    const steps = grays.flatMap((gray) => Array.from({ length: gray.length - 1 }, (_, i) => gray[i + 1]! - gray[i]!));
    const moment = (order: number): number => average(steps.map((step) => step ** order));
    expect(moment(4) / moment(2) ** 2).toBeGreaterThan(6);
  });

  test('are the same for the same seed, of any size and channels, in batches', () => {
    expect(naturalImage(SIDE, 3, 5)).toEqual(images[5]);
    expect(naturalImage(SIDE, 3, 6)).not.toEqual(images[5]);
    for (const channels of [1, 2, 3, 4]) expect(naturalImage(33, channels, 1)).toHaveLength(33 * 33 * channels);
    const batches = [...naturalBatches({ images: 5, batch: 2, size: 32, channels: 1, seed: 3 })];
    expect(batches.map(({ count, images: { shape } }) => [count, ...shape])).toEqual([
      [2, 2, 32, 32, 1],
      [2, 2, 32, 32, 1],
      [1, 2, 32, 32, 1],
    ]);
    expect(batches[1]!.images.data.slice(0, 32 * 32)).toEqual(naturalImage(32, 1, 5));
  });
});
