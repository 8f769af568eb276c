import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Dataset } from '../../src/data/dataset.ts';
import { splitDataset } from '../../src/data/split.ts';

const dataset = (counts: readonly number[]): Dataset => ({
  classes: counts.map((_, label) => `class-${label}`),
  samples: counts.flatMap((count, label) =>
    Array.from({ length: count }, (_, i) => ({ path: `class-${label}/${i}.jpg`, label })),
  ),
});
const same = ({ path }: { path: string }): string => path;

test('every image is on one side, and every class with two images on both', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 6 }),
      fc.double({ min: 0.01, max: 0.6, noNaN: true }),
      fc.integer(),
      (counts, fraction, seed) => {
        const all = dataset(counts);
        const { train, val } = splitDataset(all, fraction, seed, same);
        expect(new Set([...train.samples, ...val.samples])).toEqual(new Set(all.samples));
        expect(train.samples.length + val.samples.length).toBe(all.samples.length);
        counts.forEach((count, label) => {
          const onTrain = train.samples.filter((sample) => sample.label === label).length;
          expect(onTrain).toBeGreaterThan(0);
          if (count > 1) expect(onTrain).toBeLessThan(count);
        });
      },
    ),
  );
});

test('adding files moves no others, and the fraction is about kept', () => {
  const before = splitDataset(dataset([400, 300]), 0.2, 7, same);
  const after = splitDataset(dataset([500, 350]), 0.2, 7, same);
  const paths = (side: Dataset): Set<string> => new Set(side.samples.map(({ path }) => path));
  for (const path of paths(before.val)) expect(paths(after.val).has(path)).toBe(true);
  expect(after.val.samples.length / 850).toBeGreaterThan(0.15);
  expect(after.val.samples.length / 850).toBeLessThan(0.25);
});
