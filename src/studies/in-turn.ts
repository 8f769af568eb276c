/** Two candidates of one side beside each other, round by round where they were measured in turn. */
import { average, bootstrapInterval } from '../bench/statistics.ts';
import type { Interval } from './figures.ts';
import type { MeasuredSide } from './sides.ts';
import type { Timed } from './study.ts';

/** A number computed of two or more measurements, with its 95 % bootstrap interval. */
export interface Estimate {
  readonly value: number;
  readonly interval: Interval;
  /** Whether all of them were measured in turn, so that rounds are drawn together and what disturbs one disturbs all. */
  readonly inTurn: boolean;
}

/** Measurements of one group share the mean of its reference. */
const sameGroup = (a: Timed, b: Timed): boolean =>
  a.reference === b.reference && a.roundMeans.length === b.roundMeans.length;

/** The measurement of a candidate on a side. */
export const rowOf = ({ rows }: MeasuredSide, name: string): Timed | undefined => rows.find((row) => row.name === name);

/** Of several measurements of the base the one that was made in turn with `row`, else the first. */
export const baseOf = (row: Timed, bases: readonly Timed[]): Timed | undefined =>
  bases.find((base) => sameGroup(row, base)) ?? bases[0];

/**
 * A statistic of the mean times of measurements of one side, `first` among them. Those of other groups are first brought to the pace
 * that the machine had in the first's, by the reference of both.
 */
export function estimate(
  rows: readonly [first: Timed, ...others: Timed[]],
  of: (...means: number[]) => number,
): Estimate {
  const [first] = rows;
  const inTurn = rows.every((row) => sameGroup(first, row));
  const paces = rows.map(({ reference }) =>
    Number.isFinite(first.reference / reference) ? first.reference / reference : 1,
  );
  const drawn = (...indices: readonly (readonly number[])[]): number =>
    of(
      ...rows.map(({ roundMeans }, i) => paces[i]! * average((indices[i] ?? indices[0]!).map((at) => roundMeans[at]!))),
    );
  const sizes = inTurn ? [first.roundMeans.length] : rows.map(({ roundMeans }) => roundMeans.length);
  return {
    value: of(...rows.map(({ mean }, i) => paces[i]! * mean)),
    interval: bootstrapInterval(sizes, drawn),
    inTurn,
  };
}

/** How many times as long a takes as b. */
export const ratio = (a: Timed, b: Timed): Estimate => estimate([a, b], (first, second) => first! / second!);

/** How many milliseconds longer a takes than b. */
export const excess = (a: Timed, b: Timed): Estimate => estimate([a, b], (first, second) => first! - second!);
