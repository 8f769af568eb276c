import { expect, test } from 'vitest';
import { fromFloat16, toFloat16 } from '../../src/core/float16.ts';

test('halves are the nearest, ties to even, and their values are exact', () => {
  const pairs: readonly [value: number, half: number][] = [
    [0, 0],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [65_504, 0x7bff],
    [65_519, 0x7bff],
    [65_520, 0x7c00],
    [2 ** -14, 0x0400],
    [2 ** -24, 1],
    [2 ** -25, 0],
    [1.5 * 2 ** -24, 2],
    [2 ** -14 - 2 ** -26, 0x0400],
    [Number.NEGATIVE_INFINITY, 0xfc00],
    [Number.NaN, 0x7e00],
  ];
  expect([...toFloat16(pairs.map(([value]) => value))]).toEqual(pairs.map(([, half]) => half));
  const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
  const numbers = all.filter((half) => (half & 0x7c00) !== 0x7c00 || (half & 0x3ff) === 0);
  expect(toFloat16(fromFloat16(numbers))).toEqual(numbers);
});
