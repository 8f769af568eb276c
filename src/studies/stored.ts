/** Measurements of studies in the results store, and back: so that a study that was ended goes on where it was. */
import type { Device } from '../bench/device.ts';
import type { Measurement } from '../bench/measure.ts';
import { type Protocol, protocolHash } from '../bench/protocol.ts';
import { type Row, sessionRows } from '../bench/results/columns.ts';
import { type MeasuredModel, makeSession } from '../bench/results/session.ts';
import type { RuntimeKey } from '../bench/runtimes.ts';
import { REFERENCE } from './candidates.ts';
import type { Timed } from './study.ts';

/** A candidate that was measured: what the store calls it, and its times. */
export interface MeasuredOne {
  readonly model: MeasuredModel;
  readonly measurement: Measurement;
}

/** Rows of one group, measured in turn: they share a session, which begins with the reference. */
export function groupRows(ones: readonly MeasuredOne[], protocol: Protocol, device: Device): Row[] {
  const { id, time } = makeSession({ model: ones[0]!.model, protocol, device, measurements: [] });
  return ones.map(({ model, measurement }, i): Row => {
    const one = makeSession({ model, protocol, device, measurements: [measurement] });
    const [row] = sessionRows({ ...one, id, time }).measurements;
    return { ...row!, id: `${id.slice(0, 6)}-${i + 1}` };
  });
}

/** What a stored row must be of to count as the measurement of a candidate in this study. */
export interface Sought {
  readonly name: string;
  readonly form: string;
  readonly size: number;
  readonly batch: number;
  readonly macs: number;
  readonly params: number;
  readonly runtime: RuntimeKey;
  readonly threads: number;
}

/** Finds measurements of this machine, by one protocol, not older than `since`, with the reference beside them; the newest counts. */
export function finder(
  rows: readonly Row[],
  { protocol, device, since }: { readonly protocol: Protocol; readonly device: Device; readonly since: Date },
): (sought: Sought) => Timed | undefined {
  const hash = protocolHash(protocol);
  const usable = rows.filter(
    (row) => row.fingerprint === device.fingerprint && row.protocol === hash && (row.time as Date) >= since,
  );
  const references = new Map(
    usable.filter((row) => row.model === REFERENCE && String(row.id).endsWith('-1')).map((row) => [row.session, row]),
  );
  return (sought) => {
    const row = usable.findLast(
      (one) =>
        references.has(one.session!) &&
        one.model === sought.name &&
        one.form === sought.form &&
        one.size === sought.size &&
        one.batch === sought.batch &&
        one.macs === sought.macs &&
        one.parameters === sought.params &&
        one.runtime === sought.runtime &&
        one.threads === sought.threads,
    );
    if (!row) return undefined;
    const { mean_ms: mean, round_means_ms: roundMeans } = references.get(row.session!)!;
    return timedOf(row, { mean: mean as number, roundMeans: roundMeans as readonly number[] });
  };
}

/** A stored row as a study has it, with the reference that was measured in turn with it. */
export function timedOf(row: Row, reference?: Pick<Timed, 'mean' | 'roundMeans'>): Timed {
  const number = (name: string): number => row[name] as number;
  return {
    name: String(row.model),
    runtime: row.runtime as RuntimeKey,
    version: String(row.runtime_version),
    threads: number('threads'),
    macs: number('macs'),
    params: number('parameters'),
    mean: number('mean_ms'),
    interval: [number('low_ms'), number('high_ms')],
    minimum: number('minimum_ms'),
    median: number('median_ms'),
    roundMeans: row.round_means_ms as readonly number[],
    noise: row.noise ? String(row.noise).split('; ') : [],
    reference: reference?.mean ?? Number.NaN,
    referenceRounds: reference?.roundMeans ?? [],
  };
}
