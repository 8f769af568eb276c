/** Random erasing, mixup and cutmix: what they do to pixels, and that targets follow exactly. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { erase } from '../../src/images/augment/erase.ts';
import { applyMix, drawMix, type MixOptions } from '../../src/images/augment/mix.ts';
import { mixedTarget, smoothedTarget } from '../../src/train/target.ts';

const BOTH: MixOptions = { mixup: 0.4, cutmix: 1, prob: 1, switchProb: 0.5 };

test('a mixed batch has the stated share of each image, and its target the same', () => {
  const options = fc.record({
    mixup: fc.constantFrom(0, 0.01, 0.2, 1, 4),
    cutmix: fc.constantFrom(0, 0.1, 1),
    prob: fc.constantFrom(0.5, 1),
    switchProb: fc.constantFrom(0, 0.5, 1),
  });
  const property = fc.property(
    options,
    fc.integer({ min: 1, max: 7 }),
    fc.integer({ min: 4, max: 20 }),
    fc.constantFrom(1, 3),
    fc.integer(),
    (chosen, batch, size, channels, seed) => {
      const mix = drawMix(chosen, batch, size, random(seed));
      expect(mix).toEqual(drawMix(chosen, batch, size, random(seed)));
      if (!mix) return;
      const bytes = size * size * channels;
      // Every image is of one level, so that its share can be read off.
      const level = (n: number): number => 20 + 30 * n;
      const images = new Uint8Array(batch * bytes).map((_, i) => level(Math.floor(i / bytes)));
      applyMix(images, size, mix);
      expect(mix.share >= 0 && mix.share < 1).toBe(true);
      for (let n = 0; n < batch; n++) {
        const mean = images.subarray(n * bytes, (n + 1) * bytes).reduce((sum, value) => sum + value, 0) / bytes;
        const expected = mix.share * level(n) + (1 - mix.share) * level(mix.partner[n]!);
        expect(Math.abs(mean - expected)).toBeLessThanOrEqual(mix.box ? 1e-9 : 0.5);
      }
      const labels = Int32Array.from({ length: batch }, (_, n) => n % 3);
      const plain = smoothedTarget(labels, 3, 0.1);
      const { data } = mixedTarget(plain, mix);
      for (let i = 0; i < data.length; i++) {
        const [n, c] = [Math.floor(i / 3), i % 3];
        const other = plain.data[mix.partner[n]! * 3 + c]!;
        expect(data[i]).toBeCloseTo(mix.share * plain.data[i]! + (1 - mix.share) * other, 6);
      }
    },
  );
  fc.assert(property);
  const plain = smoothedTarget(Int32Array.of(1), 3, 0);
  expect(mixedTarget(plain, undefined)).toBe(plain);
});

test("shares follow Beta(α, α), for small α too, and cutmix's area its own", () => {
  const draws = 4000;
  for (const alpha of [0.05, 0.2, 1, 3]) {
    const shares = Array.from({ length: draws }, (_, i) => {
      return drawMix({ mixup: alpha, cutmix: 0, prob: 1, switchProb: 0 }, 2, 32, random(11, i))?.share ?? 1;
    });
    const mean = shares.reduce((sum, share) => sum + share, 0) / draws;
    const variance = shares.reduce((sum, share) => sum + (share - mean) ** 2, 0) / draws;
    expect(mean).toBeCloseTo(0.5, 1);
    expect(variance * 4 * (2 * alpha + 1)).toBeCloseTo(1, 1);
  }
});

test('switch_prob chooses between the two, prob whether at all', () => {
  const kinds = (options: MixOptions): Set<string> =>
    new Set(
      Array.from({ length: 60 }, (_, i) => {
        const mix = drawMix(options, 4, 32, random(5, i));
        return mix ? (mix.box ? 'cutmix' : 'mixup') : 'none';
      }),
    );
  expect(kinds({ ...BOTH, mixup: 4, cutmix: 4 })).toEqual(new Set(['mixup', 'cutmix']));
  expect(kinds({ ...BOTH, prob: 0 })).toEqual(new Set(['none']));
  expect(kinds({ ...BOTH, mixup: 4, switchProb: 0 })).toEqual(new Set(['mixup']));
});

test.each(['const', 'rand', 'pixel'] as const)('erasing in mode %s covers rectangles of 2 to 33 %% in all', (mode) => {
  const size = 40;
  const options = { probability: 1, mode, count: 2, mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.2] };
  for (let seed = 0; seed < 40; seed++) {
    const pixels = new Uint8Array(size * size * 3).fill(255);
    erase(pixels, size, options, random(seed));
    const covered = Array.from({ length: size * size }, (_, i) => pixels.subarray(3 * i, 3 * i + 3)).filter((pixel) =>
      pixel.some((value) => value !== 255),
    );
    const share = covered.length / (size * size);
    expect(share > 0.005 && share < 0.36).toBe(true);
    const colors = new Set(covered.map(String));
    if (mode === 'const') expect(colors).toEqual(new Set(['128,102,77']));
    else if (mode === 'rand') expect(colors.size).toBeLessThanOrEqual(2);
    else expect(colors.size).toBeGreaterThan(covered.length / 2);
  }
  const untouched = new Uint8Array(size * size * 3);
  erase(untouched, size, { ...options, probability: 0 }, random(1));
  expect(untouched.every((value) => value === 0)).toBe(true);
});
