import { expect, test } from 'vitest';
import { FLOAT16_MAX, fromFloat16, toFloat16 } from '../../src/core/float16.ts';

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
