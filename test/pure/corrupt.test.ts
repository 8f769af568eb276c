/** The corruptions, every one at every strength; and what each does, against plain statistics or libjpeg. */
import sharp from 'sharp';
import { describe, expect, it, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { CORRUPTION_NAMES, corrupt, STRENGTHS } from '../../src/images/corrupt/corruptions.ts';
import { jpegCompression } from '../../src/images/corrupt/jpeg.ts';
import { brightness, contrast } from '../../src/images/corrupt/light.ts';
import { gaussianNoise, shotNoise } from '../../src/images/corrupt/noise.ts';
import type { Pixels } from '../../src/images/corrupt/pixels.ts';

/** A picture with smooth parts, edges and color; 141 is no multiple of eight. */
function picture(size: number): Pixels {
  const data = Uint8Array.from({ length: size * size * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % size, Math.floor(i / (3 * size))];
    const inside = (x - size / 2) ** 2 + (y - size / 3) ** 2 < (size / 4) ** 2;
    return inside ? [210, 60, 40][i % 3]! : 100 + 60 * Math.sin((i % 3 === 2 ? y : x) / 9 + y / 31);
  });
  return { data, size };
}
const flat = (value: number, size = 64): Pixels => ({ data: new Uint8Array(size * size * 3).fill(value), size });
const difference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, value, i) => sum + Math.abs(value - b[i]!), 0) / a.length;
function correlation(a: Uint8Array, b: Uint8Array): number {
  const centered = [a, b].map((values) => {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Float64Array.from(values, (value) => value - mean);
  }) as [Float64Array, Float64Array];
  const dot = (x: Float64Array, y: Float64Array): number => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const [x, y] = centered;
  return dot(x, y) / Math.sqrt(dot(x, x) * dot(y, y));
}
const RANDOM = ['gaussian_noise', 'shot_noise', 'motion_blur', 'fog'];

describe.each(CORRUPTION_NAMES)('%s', (name) => {
  it('grows with its strength, repeats itself, and leaves its input alone', () => {
    const pixels = picture(141);
    const before = pixels.data.slice();
    const made = STRENGTHS.map((strength) => corrupt(pixels, name, strength));
    expect(pixels.data).toEqual(before);
    for (const [i, one] of made.entries()) {
      expect(one).toHaveLength(before.length);
      expect(corrupt(pixels, name, STRENGTHS[i]!)).toEqual(one);
    }
    const changes = made.map((one) => difference(one, before));
    expect(changes[0]).toBeGreaterThan(0.2);
    // How far fog is off depends on where it lies; that it hides more of the picture does not.
    const [weak, middle, strong] = name === 'fog' ? made.map((one) => -correlation(one, before)) : changes;
    expect(middle).toBeGreaterThan(weak!);
    expect(strong).toBeGreaterThan(middle!);
    // One value changed draws other random numbers.
    const near = { ...pixels, data: before.with(0, before[0]! ^ 1) };
    const apart = difference(corrupt(near, name, 3), made[2]!);
    if (RANDOM.includes(name)) expect(apart).toBeGreaterThan(0.3);
    else expect(apart).toBeLessThan(0.1);
  });
});

test('noise has the deviation and the mean it is said to have', () => {
  const deviation = (values: Uint8Array, mean: number): number =>
    Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
  const mean = (values: Uint8Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const gauss = gaussianNoise(flat(128), 0.1, random(1));
  expect(mean(gauss)).toBeCloseTo(128, -0.5);
  expect(deviation(gauss, 128)).toBeCloseTo(25.5, -0.5);
  // A Poisson count of mean λ has variance λ.
  const shot = shotNoise(flat(102), 60, random(1));
  expect(mean(shot)).toBeCloseTo(102, -0.5);
  expect(deviation(shot, 102)).toBeCloseTo((255 * Math.sqrt(24)) / 60, -0.5);
  expect(shotNoise(flat(0), 60, random(1))).toEqual(flat(0).data);
});

test('light is changed as HSV and the mean say', () => {
  expect([...brightness({ data: Uint8Array.of(100, 50, 0), size: 1 }, 0.2)]).toEqual([151, 76, 0]);
  expect([...brightness({ data: Uint8Array.of(0, 0, 0), size: 1 }, 0.2)]).toEqual([51, 51, 51]);
  const two = { data: Uint8Array.of(0, 100, 7, 200, 100, 7), size: 1 };
  expect([...contrast(two, 0.1)]).toEqual([90, 100, 7, 110, 100, 7]);
});

test.each([25, 7])('JPEG of quality %i loses what libjpeg loses', async (quality) => {
  const { data, size } = picture(64);
  const file = await sharp(data, { raw: { width: size, height: size, channels: 3 } })
    .jpeg({ quality, chromaSubsampling: '4:4:4' })
    .toBuffer();
  const theirs = await sharp(file).raw().toBuffer();
  const ours = jpegCompression({ data, size }, quality);
  // What is left is rounding: libjpeg computes in integers.
  expect(difference(theirs, data)).toBeGreaterThan(2);
  expect(difference(ours, theirs)).toBeLessThan(difference(theirs, data) / 4);
});
