import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FLOAT16_MAX, fromFloat16, toFloat16, toFloat16ByGroups } from '../../src/core/float16.ts';

const halfToNumber = (bits: number): number => fromFloat16(Uint16Array.of(bits))[0]!;

const EVERY = Uint16Array.from({ length: 0x7c01 }, (_, bits) => bits);

test('every half comes back as itself, with either sign', () => {
  const values = fromFloat16(EVERY);
  expect(toFloat16(values)).toEqual(EVERY);
  expect(toFloat16(values.map((value) => -value))).toEqual(EVERY.map((bits) => bits | 0x8000));
  expect(FLOAT16_MAX).toBe(65_504);
});

test('the middle of two halves rounds to the even one, what is beside it to the nearer', () => {
  const lower = EVERY.slice(0, 0x7bff);
  const between = (part: number): Float32Array =>
    Float32Array.from(lower, (bits) => halfToNumber(bits) + part * (halfToNumber(bits + 1) - halfToNumber(bits)));
  expect(toFloat16(between(31 / 64))).toEqual(lower);
  expect(toFloat16(between(1 / 2))).toEqual(lower.map((bits) => bits + (bits & 1)));
  expect(toFloat16(between(33 / 64))).toEqual(lower.map((bits) => bits + 1));
});

test('what is too large becomes infinite, and what is no number stays none', () => {
  expect([...toFloat16([65519, 65520, -1e9, Number.NEGATIVE_INFINITY])]).toEqual([0x7bff, 0x7c00, 0xfc00, 0xfc00]);
  expect(halfToNumber(toFloat16([Number.NaN])[0]!)).toBeNaN();
});

test('subnormals, infinities, zeros with a sign', () => {
  expect([0x0001, 0x8000, 0x7c00, 0xfc00, 0x7bff].map(halfToNumber)).toEqual([
    2 ** -24,
    -0,
    Infinity,
    -Infinity,
    65504,
  ]);
  expect(halfToNumber(0x7e00)).toBeNaN();
});

test('a number becomes the nearest half, ties to even', () => {
  fc.assert(
    fc.property(fc.oneof(fc.float({ noNaN: true }), fc.double({ min: -70000, max: 70000, noNaN: true })), (any) => {
      const value = Math.fround(any);
      const bits = toFloat16([value])[0]!;
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
  expect([...toFloat16([0, -0, 1, -2, 2 ** -25, 1.5 * 2 ** -25, Number.NaN])]).toEqual([
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
        const halves = Float64Array.from(fromFloat16(toFloat16ByGroups(values, 9)));
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
  expect(toFloat16ByGroups(plain, 1)).toEqual(toFloat16(plain));
});
