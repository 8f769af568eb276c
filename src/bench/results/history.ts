/** Stored measurements put in order: one series for everything that may be compared over time. */
import type { Row } from './columns.ts';

/** What must be equal for measurements to be one series: machine, model and its form, image, runtime, threads, protocol. */
const SERIES = ['machine', 'model', 'form', 'size', 'batch', 'runtime', 'threads', 'protocol'] as const;

export interface Point {
  readonly row: Row;
  /** How many times as long as the measurement before it; undefined for the first. */
  readonly change?: number;
  /** Whether the 95 % intervals of both are apart. */
  readonly sure?: boolean;
}

export interface Series {
  readonly machine: string;
  readonly first: Row;
  readonly points: readonly Point[];
}

const within = (row: Row, name: string): number => row[name] as number;

/** Puts rows of `measurements` (oldest first) into series; `model` keeps those of one model, by name or begin of its hash. */
export function seriesOf(rows: readonly Row[], model?: string): Series[] {
  const kept = rows.filter(
    (row) =>
      model === undefined || row.model === model || (model.length >= 6 && String(row.model_hash).startsWith(model)),
  );
  const series = new Map<string, Row[]>();
  for (const row of kept) {
    const key = JSON.stringify(SERIES.map((name) => row[name]));
    series.set(key, [...(series.get(key) ?? []), row]);
  }
  return [...series.values()].map((members) => ({
    machine: String(members[0]!.machine),
    first: members[0]!,
    points: members.map((row, i): Point => {
      const before = members[i - 1];
      if (!before) return { row };
      const apart =
        within(row, 'low_ms') > within(before, 'high_ms') || within(row, 'high_ms') < within(before, 'low_ms');
      return { row, change: within(row, 'mean_ms') / within(before, 'mean_ms'), sure: apart };
    }),
  }));
}
