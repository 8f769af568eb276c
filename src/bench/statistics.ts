/** The few statistics that measuring needs; all on plain lists of milliseconds. */
import { hashText, random } from '../core/random.ts';

/** Arithmetic mean. */
export const average = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** The numbers in rising order. */
export const ascending = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

/** Median of sorted values. */
export const middle = (sorted: readonly number[]): number =>
  (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;

/** Standard deviation of a sample. */
export const deviation = (values: readonly number[], mean: number = average(values)): number =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1));

/** 97.5 % quantile of Student's t by degrees of freedom (Cornish–Fisher around the normal from 5 on). */
export function tQuantile(freedom: number): number {
  const exact: Readonly<Record<number, number>> = { 1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776 };
  const z = 1.959964;
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  return exact[freedom] ?? z + first / freedom + second / freedom ** 2;
}

/** Bootstrap samples drawn for an interval. */
const SAMPLES = 2000;

/**
 * 95 % bootstrap interval (percentiles) of a statistic: it is computed for lists of indices drawn with repetition, one list for each
 * of `sizes`. The same sizes draw the same lists, so a result can be computed again.
 */
export function bootstrapInterval(
  sizes: readonly number[],
  statistic: (...indices: readonly (readonly number[])[]) => number,
): readonly [low: number, high: number] {
  const rng = random(hashText('bootstrap'), ...sizes);
  const draw = (n: number): number[] => Array.from({ length: n }, () => rng.int(n));
  const sorted = ascending(Array.from({ length: SAMPLES }, () => statistic(...sizes.map(draw))));
  return [sorted[Math.floor(0.025 * SAMPLES)]!, sorted[Math.ceil(0.975 * SAMPLES) - 1]!];
}
