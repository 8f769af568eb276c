/** Two candidates of one side beside each other, round by round where they were measured in turn. */
import { deviation, tQuantile } from '../bench/statistics.ts';
import type { Interval } from './figures.ts';
import type { MeasuredSide } from './sides.ts';
import type { Timed } from './study.ts';

/** A number computed of two or more measurements, with its 95 % interval. */
export interface Estimate {
  readonly value: number;
  readonly interval: Interval;
  /** Whether all of them were measured in turn, so that what disturbs one disturbs all. */
  readonly inTurn: boolean;
}

/** Measurements of one group share the mean of its reference. */
const sameGroup = (a: Timed, b: Timed): boolean => a.reference === b.reference;

/** The measurement of a candidate on a side. */
export const rowOf = ({ rows }: MeasuredSide, name: string): Timed | undefined => rows.find((row) => row.name === name);

/** Of several measurements of the base the one that was made in turn with `row`, else the first. */
export const baseOf = (row: Timed, bases: readonly Timed[]): Timed | undefined =>
  bases.find((base) => sameGroup(row, base)) ?? bases[0];

/**
 * A statistic of the mean times of measurements by one protocol. Its interval is Student's t over the statistic of each round, so that
 * three rounds claim no more than three can tell. Measurements of other groups are first brought to the pace that the machine had in
 * the first's, by the reference of both.
 */
export function estimate(
  rows: readonly [first: Timed, ...others: Timed[]],
  of: (...means: number[]) => number,
): Estimate {
  const [first] = rows;
  const paces = rows.map(({ reference }) =>
    Number.isFinite(first.reference / reference) ? first.reference / reference : 1,
  );
  const n = Math.min(...rows.map(({ roundMeans }) => roundMeans.length));
  const rounds = Array.from({ length: n }, (_, i) => of(...rows.map((row, j) => paces[j]! * row.roundMeans[i]!)));
  const value = of(...rows.map(({ mean }, i) => paces[i]! * mean));
  const half = n > 1 ? (tQuantile(n - 1) * deviation(rounds)) / Math.sqrt(n) : 0;
  return { value, interval: [value - half, value + half], inTurn: rows.every((row) => sameGroup(first, row)) };
}

/** How many times as long a takes as b; the interval is that of its logarithm. */
export function ratio(a: Timed, b: Timed): Estimate {
  const { value, interval, inTurn } = estimate([a, b], (first, second) => Math.log(first! / second!));
  return { value: Math.exp(value), interval: [Math.exp(interval[0]), Math.exp(interval[1])], inTurn };
}

/** How many milliseconds longer a takes than b. */
export const excess = (a: Timed, b: Timed): Estimate => estimate([a, b], (first, second) => first! - second!);

/** 1 where an estimate is surely above nothing, −1 where below, 0 where that can not be told. */
export const sign = ({ interval: [low, high] }: Estimate): number => (low > 0 ? 1 : high < 0 ? -1 : 0);
