import fc from 'fast-check';
import { expect, test } from 'vitest';
import { HALF_MAX, halfToNumber, numberToHalf, toHalf, toHalfByGroups } from '../../src/core/half.ts';

test('every half-precision number is itself', () => {
  for (let bits = 0; bits < 0x10000; bits++) {
    const value = halfToNumber(bits);
    const back = numberToHalf(value);
    if (Number.isNaN(value) ? back !== (bits & 0x8000 ? back : 0x7e00) : back !== bits)
      expect.fail(`${bits} is ${value}, which becomes ${back}`);
  }
  expect(halfToNumber(0x7bff)).toBe(HALF_MAX);
});

test('a number becomes the nearest half, ties to even', () => {
  fc.assert(
    fc.property(fc.oneof(fc.float({ noNaN: true }), fc.double({ min: -70000, max: 70000, noNaN: true })), (any) => {
      const value = Math.fround(any);
      const bits = numberToHalf(value);
      if (Math.abs(value) >= 65520) return halfToNumber(bits) === Math.sign(value) * Number.POSITIVE_INFINITY;
      const error = Math.abs(halfToNumber(bits) - value);
      return [bits - 1, bits + 1]
        .filter((one) => (one & 0x7fff) < 0x7c00 && (one ^ bits) < 0x8000)
        .every((neighbor) => {
          const other = Math.abs(halfToNumber(neighbor & 0xffff) - value);
          return error < other || (error === other && (bits & 1) === 0);
        });
    }),
    { numRuns: 2000 },
  );
  expect([...toHalf([0, -0, 1, -2, 2 ** -25, 1.5 * 2 ** -25, Number.NaN])]).toEqual([
    0, 0x8000, 0x3c00, 0xc000, 0, 1, 0x7e00,
  ]);
});

test('groups keep their sums, and every value stays near', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: 9, maxLength: 9 }),
      fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: 9, maxLength: 9 }),
      (a, b) => {
        const values = Float64Array.from([...a, ...b]);
        const halves = Float64Array.from(toHalfByGroups(values, 9), halfToNumber);
        const sum = (part: Float64Array): number => part.reduce((x, y) => x + y, 0);
        for (const from of [0, 9]) {
          const [before, after] = [values, halves].map((all) => all.subarray(from, from + 9)) as [
            Float64Array,
            Float64Array,
          ];
          // What is left over is what the smallest value can't take: at most half a step of it or of what was carried to it.
          expect(Math.abs(sum(before) - sum(after))).toBeLessThanOrEqual(
            2 ** -11 * Math.min(...before.map(Math.abs)) + 2 ** -18,
          );
          const step = 2 ** -11 * Math.max(...before.map(Math.abs));
          before.forEach((value, i) => {
            expect(Math.abs(value - after[i]!)).toBeLessThanOrEqual(2 * step + 2 ** -24);
          });
        }
      },
    ),
  );
  const plain = Float32Array.of(0.1, 0.2, 0.3);
  expect(toHalfByGroups(plain, 1)).toEqual(toHalf(plain));
});
