import fc from 'fast-check';
import { expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { applyAffine, randomAffine } from '../../src/images/augment/affine.ts';
import { type Augment, augment } from '../../src/images/augment/augment.ts';
import { jitterColors } from '../../src/images/augment/color.ts';
import { randomCrop } from '../../src/images/augment/crop.ts';
import type { PixelImage } from '../../src/images/resize.ts';

const PLAIN: Augment = { cropScale: [1, 1], cropRatio: [1, 1], hflip: 0 };

function noise(width: number, height: number): PixelImage {
  const data = new Uint8Array(width * height * 3).map((_, i) => (i * 7919 + (i >> 3) * 31) % 256);
  return { width, height, channels: 3, data };
}

test('crops lie inside the image and keep to scale and ratio', () => {
  const dimension = fc.integer({ min: 1, max: 400 });
  fc.assert(
    fc.property(dimension, dimension, fc.integer(), (width, height, seed) => {
      const { x, y, width: w, height: h } = randomCrop(width, height, [0.25, 1], [3 / 4, 4 / 3], random(seed));
      expect(x >= 0 && y >= 0 && x + w <= width && y + h <= height && w > 0 && h > 0).toBe(true);
      if (Math.min(width, height) > 60 && Math.max(width, height) / Math.min(width, height) < 1.3) {
        expect((w * h) / (width * height)).toBeGreaterThan(0.24);
        expect(w / h).toBeGreaterThan(0.74);
        expect(w / h).toBeLessThan(1.35);
      }
    }),
  );
});

test('the same stream gives the same picture, another stream another', () => {
  const options: Augment = {
    cropScale: [0.3, 1],
    cropRatio: [0.8, 1.25],
    hflip: 0.5,
    affine: { degrees: 20, translate: 0.1, scale: [0.8, 1.2], shear: 5 },
    colorJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
  };
  const make = (seed: number): Uint8Array => {
    const out = new Uint8Array(32 * 32 * 3);
    augment(noise(50, 40), options, 32, random(seed), out, 0);
    return out;
  };
  expect(make(1)).toEqual(make(1));
  expect(make(1)).not.toEqual(make(2));
});

test('with everything off, a square image of the size comes out as it is', () => {
  const source = noise(24, 24);
  const out = new Uint8Array(24 * 24 * 3);
  augment(source, PLAIN, 24, random(0), out, 0);
  expect(out).toEqual(source.data);
});

test('a flip of probability one mirrors', () => {
  const source = noise(8, 8);
  const out = new Uint8Array(8 * 8 * 3);
  augment(source, { ...PLAIN, hflip: 1 }, 8, random(0), out, 0);
  expect([...out.subarray(0, 3)]).toEqual([...source.data.subarray(21, 24)]);
});

test('an affine map without change is the identity; a turn by 90 degrees moves corners to corners', () => {
  const size = 9;
  const source = noise(size, size);
  const out = new Uint8Array(size * size * 3);
  applyAffine(source.data, out, 0, size, [1, 0, 0, 0, 1, 0]);
  expect(out).toEqual(source.data);
  applyAffine(source.data, out, 0, size, [0, 1, 0, -1, 0, 0]);
  expect([...out.subarray(0, 3)]).toEqual([...source.data.subarray((size - 1) * size * 3, (size - 1) * size * 3 + 3)]);
  applyAffine(source.data, out, 0, size, [1, 0, -4, 0, 1, 0]);
  expect([...out.subarray(0, 3)]).toEqual([...source.data.subarray(0, 3)]);
  applyAffine(source.data, out, 0, size, [1, 0, -4, 0, 1, 0], 'white');
  expect([...out.subarray(9, 12)]).toEqual([255, 255, 255]);
  expect([...out.subarray(12, 15)]).toEqual([...source.data.subarray(0, 3)]);
  expect(randomAffine({ degrees: 0, translate: 0, scale: [1, 1] }, size, random(5)).map((v) => v + 0)).toEqual([
    1, 0, 0, 0, 1, 0,
  ]);
});

test('color jitter: brightness scales, saturation keeps gray, hue keeps gray and brightness', () => {
  const only = (part: Partial<NonNullable<Augment['colorJitter']>>) => ({
    brightness: 0,
    contrast: 0,
    saturation: 0,
    hue: 0,
    ...part,
  });
  const gray = new Uint8Array([80, 80, 80, 160, 160, 160]);
  const jittered = (pixels: Uint8Array, options: NonNullable<Augment['colorJitter']>, seed: number): number[] => {
    const copy = pixels.slice();
    jitterColors(copy, 0, copy.length / 3, options, random(seed));
    return [...copy];
  };
  expect(jittered(gray, only({ saturation: 0.9, hue: 0.5 }), 3)).toEqual([...gray]);
  const bright = jittered(gray, only({ brightness: 0.5 }), 4);
  expect(bright[3]! / bright[0]!).toBeCloseTo(2, 1);
  const red = new Uint8Array([200, 50, 50]);
  const turned = jittered(red, only({ hue: 0.5 }), 6);
  expect([Math.max(...turned), Math.min(...turned)]).toEqual([200, 50]);
});

test.each([1, 2, 4])('each of %i channels is treated as one of RGB', (channels) => {
  const options: Augment = {
    cropScale: [0.3, 1],
    cropRatio: [0.8, 1.25],
    hflip: 0.5,
    affine: { degrees: 20, translate: 0.1, scale: [0.8, 1.2], shear: 5, fill: 'white' },
    // Gray takes brightness and contrast; of RGB with three equal channels they give the same, but for rounded luma.
    ...(channels === 1 ? { colorJitter: { brightness: 0.4, contrast: 0, saturation: 0, hue: 0 } } : {}),
  };
  const size = 24;
  for (const [width, height] of [
    [50, 40],
    [90, 70],
    [20, 30],
  ] as const) {
    const planes = Array.from({ length: channels }, (_, c) =>
      new Uint8Array(width * height).map((_, i) => (i * 7919 + (i >> 3) * 31 + 50 * c) % 256),
    );
    const data = new Uint8Array(width * height * channels).map(
      (_, i) => planes[i % channels]![Math.floor(i / channels)]!,
    );
    const out = new Uint8Array(size * size * channels);
    augment({ width, height, channels, data }, options, size, random(width), out, 0);
    planes.forEach((plane, c) => {
      const rgb = {
        width,
        height,
        channels: 3,
        data: Uint8Array.from({ length: 3 * plane.length }, (_, i) => plane[Math.floor(i / 3)]!),
      };
      const expected = new Uint8Array(size * size * 3);
      augment(rgb, options, size, random(width), expected, 0);
      for (let i = 0; i < size * size; i++) expect(out[i * channels + c]).toBe(expected[3 * i]);
    });
  }
});
