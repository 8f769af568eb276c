/** Which form of a pointwise RepConv the cost model chooses. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type RepConvSize, repConvCost } from '../../src/engine/wasm/lower/cost-model.ts';

const size = (changes: Partial<RepConvSize>): RepConvSize => ({
  positions: 16 * 28 * 28,
  K: 192,
  O: 192,
  branches: 1,
  skip: true,
  needsInputGrad: true,
  ...changes,
});

test.each([
  { what: 'S1, one branch, 28 px', changes: {}, form: 'explicit' },
  { what: 'S0, four branches, 28 px', changes: { K: 128, O: 128, branches: 4 }, form: 'online' },
  { what: 'two branches', changes: { branches: 2 }, form: 'online' },
  {
    what: 'four branches at four positions',
    changes: { positions: 4, K: 1024, O: 1024, branches: 4 },
    form: 'explicit',
  },
  { what: 'few channels, where passes over memory count', changes: { K: 48, O: 48 }, form: 'online' },
  { what: 'no branch with a kernel', changes: { branches: 0 }, form: 'online' },
])('$what: $form', ({ changes, form }) => {
  expect(repConvCost(size(changes)).form).toBe(form);
});

test('the online cost grows by the folds alone with more branches, the explicit one by whole products', () => {
  const channels = fc.integer({ min: 1, max: 64 }).map((n) => 8 * n);
  fc.assert(
    fc.property(
      channels,
      channels,
      fc.integer({ min: 1, max: 1e5 }),
      fc.integer({ min: 1, max: 5 }),
      (K, O, positions, branches) => {
        const [one, two] = [branches, branches + 1].map((n) => repConvCost(size({ K, O, positions, branches: n })));
        expect(two!.online - one!.online).toBe(1.5 * O * K * K);
        expect(two!.explicit - one!.explicit).toBeGreaterThan(3 * positions * K * O);
      },
    ),
  );
});
