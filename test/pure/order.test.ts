import fc from 'fast-check';
import { expect, test } from 'vitest';
import { epochOrder } from '../../src/batches/order.ts';

const labelLists = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 80 });
const counts = (values: Iterable<number>): Map<number, number> => {
  const found = new Map<number, number>();
  for (const value of values) found.set(value, (found.get(value) ?? 0) + 1);
  return found;
};

test('shuffled: every sample once, another order each epoch', () => {
  fc.assert(
    fc.property(labelLists, fc.integer({ min: 0, max: 99 }), (labels, epoch) => {
      const order = epochOrder(labels, 'shuffle', 3, epoch);
      expect([...order].sort((a, b) => a - b)).toEqual(labels.map((_, i) => i));
    }),
  );
  const labels = new Int32Array(50);
  expect(epochOrder(labels, 'shuffle', 3, 0)).not.toEqual(epochOrder(labels, 'shuffle', 3, 1));
});

test('balanced: as many samples, classes equally often, and within a class no sample twice before all came', () => {
  fc.assert(
    fc.property(labelLists, fc.integer({ min: 0, max: 99 }), (labels, epoch) => {
      const order = epochOrder(labels, 'balanced', 3, epoch);
      expect(order.length).toBe(labels.length);
      expect(order).toEqual(epochOrder(labels, 'balanced', 3, epoch));
      const perClass = [...counts([...order].map((i) => labels[i]!)).values()];
      const classes = new Set(labels).size;
      if (labels.length >= classes) expect(perClass.length).toBe(classes);
      expect(Math.max(...perClass) - Math.min(...perClass)).toBeLessThanOrEqual(1);
      for (const label of new Set(labels)) {
        const own = [...order].filter((i) => labels[i] === label);
        const times = [...counts(own).values()];
        const members = labels.filter((other) => other === label).length;
        if (own.length >= members) expect(times.length).toBe(members);
        expect(
          Math.max(0, ...times) - Math.min(...(own.length >= members ? times : [0, ...times])),
        ).toBeLessThanOrEqual(1);
      }
    }),
  );
});
