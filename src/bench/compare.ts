/** Two measurements compared by their ratio, with an interval. */
import type { Measurement } from './measure.ts';
import { requireOneProtocol } from './protocol.ts';
import { average, bootstrapInterval } from './statistics.ts';

export interface Comparison {
  /** How many times as long the first takes. */
  readonly ratio: number;
  /** 95 % bootstrap interval of the ratio. */
  readonly interval: readonly [number, number];
  /** Whether both were measured in turn (A B A B …), so that what disturbs one disturbs the other too. */
  readonly inTurn: boolean;
}

/** What a comparison needs of a measurement. */
export type Comparable = Pick<Measurement, 'mean' | 'roundMeans' | 'protocol'>;

/**
 * Compares two measurements. Those that were measured in turn are paired: rounds are drawn together. Throws a UserError for
 * results of different protocols.
 */
export function compareMeasurements(first: Comparable, second: Comparable, inTurn = true): Comparison {
  requireOneProtocol([first, second]);
  const [a, b] = [first.roundMeans, second.roundMeans];
  const paired = inTurn && a.length === b.length;
  const mean = (rounds: readonly number[], indices: readonly number[]): number =>
    average(indices.map((i) => rounds[i]!));
  const interval = paired
    ? bootstrapInterval([a.length], (both) => mean(a, both!) / mean(b, both!))
    : bootstrapInterval([a.length, b.length], (left, right) => mean(a, left!) / mean(b, right!));
  return { ratio: first.mean / second.mean, interval, inTurn: paired };
}

const times = (value: number): string => value.toFixed(value < 10 ? 2 : 1);

/** A comparison in a sentence. */
export function comparisonText(first: string, second: string, { ratio, interval, inTurn }: Comparison): string {
  const [low, high] = interval;
  const how = inTurn ? 'measured in turn' : 'measured at different times, so less certain than it looks';
  const range = `95 %: ${times(low)} – ${times(high)}, ${how}`;
  if (low <= 1 && high >= 1)
    return `${first} and ${second} can't be told apart: ${first} takes ${times(ratio)} times as long (${range}).`;
  return ratio >= 1
    ? `${second} is ${times(ratio)} times as fast as ${first} (${range}).`
    : `${first} is ${times(1 / ratio)} times as fast as ${second} (95 %: ${times(1 / high)} – ${times(1 / low)}, ${how}).`;
}
