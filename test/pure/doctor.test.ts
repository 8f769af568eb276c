import fc from 'fast-check';
import { expect, test } from 'vitest';
import { overlay, smooth, warped } from '../../src/data/doctor/align.ts';
import { groupsOf } from '../../src/data/doctor/examine.ts';
import { countBits } from '../../src/data/doctor/fingerprint.ts';
import { forNeighbors } from '../../src/data/doctor/neighbors.ts';
import { excludeImages, parseExclusions } from '../../src/data/exclude-node.ts';

test('neighbors are those of comparing all with all', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const flips = fc.array(fc.integer({ min: 0, max: 63 }), { maxLength: 20 });
  const set = fc.tuple(word, word, fc.array(flips, { minLength: 2, maxLength: 25 }));
  fc.assert(
    fc.property(set, fc.integer({ min: 0, max: 15 }), ([low, high, variants], radius) => {
      const hashes = variants.map((bits): [number, number] => {
        const hash: [number, number] = [low, high];
        for (const bit of bits) hash[bit >> 5]! ^= 1 << (bit & 31);
        return hash;
      });
      const wanted = hashes.flatMap((a, i) =>
        hashes.slice(0, i).flatMap((b, j) => {
          const distance = countBits(a[0] ^ b[0]) + countBits(a[1] ^ b[1]);
          return distance <= radius ? [`${i} ${j} ${distance}`] : [];
        }),
      );
      const found: string[] = [];
      forNeighbors(hashes, radius, 100, (i, neighbors) => {
        expect(neighbors.map(({ distance }) => distance)).toEqual(
          neighbors.map(({ distance: d }) => d).toSorted((a, b) => a - b),
        );
        found.push(...neighbors.map(({ index, distance }) => `${i} ${index} ${distance}`));
      });
      expect(found.toSorted()).toEqual(wanted.toSorted());
    }),
    { numRuns: 60 },
  );
});

test('an overlay finds shift, stretch, contrast and brightness', () => {
  const side = 32;
  const data = Float64Array.from({ length: side * side }, (_, i) => {
    const [x, y] = [i % side, Math.floor(i / side)];
    return 120 + 50 * Math.sin(x / 4 + y / 9) + 40 * Math.cos(y / 5 - x / 11);
  });
  const picture = smooth({ side, data }, 1);
  const warp = { shift: [0.03, -0.02], stretch: [-0.04, 0.03] } as const;
  const moved = warped(picture, warp);
  const fixed = { side, data: moved.data.map((level) => 0.8 * level + 20) };
  const found = overlay(fixed, picture)!;
  expect(found.r2).toBeGreaterThan(0.98);
  [...found.warp.shift, ...found.warp.stretch].forEach((value, i) => {
    expect(value).toBeCloseTo([...warp.shift, ...warp.stretch][i]!, 1.7);
  });
});

test('groups join pairs in any order', () => {
  expect(
    groupsOf(8, [
      [5, 6],
      [1, 3],
      [0, 3],
      [6, 7],
    ]),
  ).toEqual([
    [0, 1, 3],
    [5, 6, 7],
  ]);
});

test('lists of images to leave out: plain, CSV, actions, quotes', () => {
  expect(parseExclusions('# mine\na/1.jpg\n\n b, c/2.jpg \r\n')).toEqual(['a/1.jpg', 'b, c/2.jpg']);
  expect(parseExclusions('path,reason\n"b, ""c""/2.jpg",broken\nd.jpg,leak\n')).toEqual(['b, "c"/2.jpg', 'd.jpg']);
  expect(parseExclusions('reason,path,action,of\nx,a.jpg,drop,\nx,b.jpg,keep,\n')).toEqual(['a.jpg']);
  const samples = ['a/1.jpg', 'a/2.jpg', 'b/1.jpg'].map((name) => ({ path: `photos/${name}`, label: 0 }));
  const packed = {
    path: 'photos/images',
    label: 0,
    part: { name: '7', offset: 0, width: 1, height: 1, channels: 1 as const },
  };
  const data = {
    train: { classes: ['a'], samples: [...samples, packed] },
    val: { classes: ['a'], samples: [] },
    warnings: [],
  };
  const { train, warnings } = excludeImages(data, 'photos', ['a/2.jpg', 'photos/b/1.jpg', 'images:7', 'gone'], 'list');
  expect(train.samples).toEqual([samples[0]]);
  expect(warnings).toEqual([
    '3 images are left out, as list says.',
    "1 image of list can't be found, the first: gone.",
  ]);
});
