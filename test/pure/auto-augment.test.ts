/** AutoAugment's operations against Pillow's own pixels, and how they are drawn. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { autoAugment, IMAGENET_POLICY } from '../../src/images/augment/auto-augment.ts';
import { OP_NAMES, OPS, type OpName } from '../../src/images/augment/ops.ts';

interface Golden {
  readonly size: number;
  readonly pictures: Readonly<Record<string, string>>;
  readonly cases: readonly { op: OpName; magnitude: number; picture: string; expected: string }[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/image-ops.json', import.meta.url), 'utf8')) as Golden;
const { size } = golden;
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'base64'));
const busy = (): Uint8Array => bytes(golden.pictures.busy!);

test.each(golden.cases)('$op $magnitude of the $picture picture is what Pillow makes, to the bit', (one) => {
  const pixels = bytes(golden.pictures[one.picture]!);
  OPS[one.op].apply(pixels, size, one.magnitude);
  expect([...pixels]).toEqual([...bytes(one.expected)]);
});

test('every operation is compared', () => {
  expect(new Set(golden.cases.map(({ op }) => op))).toEqual(new Set(OP_NAMES));
});

test("magnitudes are torchvision's bins", () => {
  const bins = (op: OpName, count: number, side = 331): number[] =>
    Array.from({ length: count }, (_, i) => OPS[op].magnitude!(i / (count - 1), side));
  expect(bins('Posterize', 10)).toEqual([8, 8, 7, 7, 6, 6, 5, 5, 4, 4]);
  expect(bins('Solarize', 10)[5]).toBeCloseTo(113.3333);
  expect(bins('Rotate', 31)[9]).toBeCloseTo(9);
  expect(bins('TranslateX', 31).at(-1)).toBeCloseTo(150);
  expect(bins('ShearY', 10).at(-1)).toBeCloseTo(0.3);
  expect(bins('Sharpness', 10)[7]).toBeCloseTo(0.7);
});

test('the policy has 25 pairs; a strength of zero leaves operations with a magnitude without effect', () => {
  expect(IMAGENET_POLICY).toHaveLength(25);
  for (const name of OP_NAMES) {
    const { magnitude, apply } = OPS[name];
    if (!magnitude || name === 'Solarize') continue;
    const pixels = busy();
    apply(pixels, size, magnitude(0, size));
    expect(pixels).toEqual(busy());
  }
});

test.each([{ policy: 'autoaugment' }, { policy: 'randaugment', ops: 2, magnitude: 9 }] as const)(
  '$policy: one stream, one picture; many streams, many pictures; strength matters',
  (options) => {
    const make = (seed: number, strength = 1): string => {
      const pixels = busy();
      autoAugment(pixels, size, options, strength, random(seed));
      return Buffer.from(pixels).toString('base64');
    };
    const seeds = Array.from({ length: 60 }, (_, i) => i);
    expect(seeds.map((seed) => make(seed))).toEqual(seeds.map((seed) => make(seed)));
    expect(new Set(seeds.map((seed) => make(seed))).size).toBeGreaterThan(20);
    expect(seeds.some((seed) => make(seed) !== make(seed, 0.3))).toBe(true);
  },
);

test('gray pictures take every operation', () => {
  for (const name of OP_NAMES) {
    const [gray, rgb] = [new Uint8Array(size * size), new Uint8Array(size * size * 3)];
    gray.forEach((_, i) => {
      gray[i] = (i * 7) % 256;
      rgb.fill(gray[i]!, 3 * i, 3 * i + 3);
    });
    const magnitude = OPS[name].magnitude?.(0.7, size) ?? 0;
    OPS[name].apply(gray, size, magnitude);
    OPS[name].apply(rgb, size, magnitude);
    expect([...gray]).toEqual([...rgb.filter((_, i) => i % 3 === 0)]);
  }
});
