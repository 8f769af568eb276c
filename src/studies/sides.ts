/** What a study looks at together: the measurements of one runtime, with one number of threads, on one device, by one protocol. */
import { FORMS } from '../bench/forms.ts';
import type { Row } from '../bench/results/columns.ts';
import { RUNTIMES, type RuntimeKey } from '../bench/runtimes.ts';
import { zooSize } from './candidates.ts';
import { timedOf } from './stored.ts';
import type { Measured, Refusal, StudyContext, Table, Timed } from './study.ts';
import { digits } from './words.ts';

export interface MeasuredSide {
  /** Short and fit for file names: `wasm-1`, of other devices with their machine: `wasm-1-0a1b2c3d`. */
  readonly key: string;
  /** `wasm, 1 thread`. */
  readonly title: string;
  /** `this machine`, or what the other one is called. */
  readonly device: string;
  readonly runtime: RuntimeKey;
  readonly threads: number;
  readonly version: string;
  readonly rows: readonly Timed[];
}

const titleOf = (runtime: string, threads: number): string => `${runtime}, ${threads} thread${threads > 1 ? 's' : ''}`;

/** The sides of what was measured here, in the order of the wish. */
export function sidesHere({ rows }: Pick<Measured, 'rows'>): MeasuredSide[] {
  const sides = new Map<string, Timed[]>();
  for (const row of rows) {
    const key = `${row.runtime}-${row.threads}`;
    sides.set(key, [...(sides.get(key) ?? []), row]);
  }
  return [...sides].map(([key, own]): MeasuredSide => {
    const { runtime, threads, version } = own[0]!;
    return { key, title: titleOf(runtime, threads), device: 'this machine', runtime, threads, version, rows: own };
  });
}

/**
 * The sides of other devices in the results store, e.g. of phones that posted theirs: of each network (known to `nameOf`) the newest
 * measurement of its fused form, one image of the size it is published for. Those with fewer than `least` networks are left out.
 */
export function sidesKept(
  { kept, device }: Pick<StudyContext, 'kept' | 'device'>,
  nameOf: (model: string) => string | undefined,
  least: number,
): MeasuredSide[] {
  const sides = new Map<string, Map<string, Row>>();
  for (const row of kept) {
    const name = nameOf(String(row.model));
    if (!name || row.machine === device.machine || row.form !== FORMS.fused || row.batch !== 1) continue;
    if (row.size !== zooSize(name) || !Object.hasOwn(RUNTIMES, String(row.runtime))) continue;
    const key = [row.machine, row.runtime, row.threads, row.protocol].join(' ');
    const side = sides.get(key) ?? new Map<string, Row>();
    side.set(name, row);
    sides.set(key, side);
  }
  return [...sides.values()]
    .filter(({ size }) => size >= least)
    .map((side): MeasuredSide => {
      const first = [...side.values()][0]!;
      const rows = [...side].map(([name, row]) => ({ ...timedOf(row), name }));
      const { runtime, threads, version } = rows[0]!;
      return {
        key: `${runtime}-${threads}-${first.machine}-${first.protocol}`,
        title: titleOf(runtime, threads),
        device: `${first.cpu}, ${first.host} (machine ${first.machine}, protocol ${first.protocol})`,
        ...{ runtime, threads, version, rows },
      };
    });
}

/** All latencies of the sides, and what could not be measured. */
export function latencyTable(sides: readonly MeasuredSide[], refused: readonly Refusal[]): Table {
  return {
    name: 'latencies',
    title: 'Every measurement',
    columns: [
      { name: 'network', meaning: 'name in the zoo' },
      { name: 'device', meaning: 'where it was measured' },
      { name: 'runtime', meaning: 'what ran it' },
      { name: 'threads', meaning: 'how many' },
      { name: 'mean_ms', unit: 'ms', meaning: "mean of the rounds' trimmed means" },
      { name: 'low_ms', unit: 'ms', meaning: 'lower end of its 95 % interval' },
      { name: 'high_ms', unit: 'ms', meaning: 'upper end' },
      { name: 'minimum_ms', unit: 'ms', meaning: 'of all runs' },
      { name: 'reference_ms', unit: 'ms', meaning: 'MobileOne-S0, measured in turn with it' },
      { name: 'remark', meaning: 'noise, or why it could not be measured' },
    ],
    rows: [
      ...sides.flatMap(({ device, rows }) =>
        rows.map((row) => ({
          ...{ network: row.name, device, runtime: row.runtime, threads: row.threads, mean_ms: digits(row.mean) },
          ...{ low_ms: digits(row.interval[0]), high_ms: digits(row.interval[1]), minimum_ms: digits(row.minimum) },
          reference_ms: Number.isFinite(row.reference) ? digits(row.reference) : null,
          remark: row.noise.join('; ') || null,
        })),
      ),
      ...refused.map(({ name, runtime, threads, reason }) => ({
        ...{ network: name, device: 'this machine', runtime, threads, mean_ms: null, low_ms: null, high_ms: null },
        ...{ minimum_ms: null, reference_ms: null, remark: reason },
      })),
    ],
  };
}
