/** One group of candidates after the other, on every side; each is kept as soon as it is measured. */
import type { Device } from '../bench/device.ts';
import { measure, type Subject } from '../bench/measure.ts';
import type { Protocol } from '../bench/protocol.ts';
import type { Row } from '../bench/results/columns.ts';
import type { Results } from '../bench/results/store-node.ts';
import { UserError } from '../core/errors.ts';
import { REFERENCE, zooCandidate } from './candidates.ts';
import { reasonOf, type Side, sideText } from './open-runtimes.ts';
import type { Pilot } from './pilot-node.ts';
import { groupsOf } from './plan.ts';
import { type Counted, counted, isReference, type Prepared, prepare } from './prepare-node.ts';
import { finder, groupRows, type MeasuredOne, timedOf } from './stored.ts';
import type { Refusal, Timed } from './study.ts';

export interface GroupOptions {
  readonly protocol: Protocol;
  readonly device: Device;
  readonly results?: Results | undefined;
  /** Goes on with a study that was ended: what it measured since it began. */
  readonly earlier?: { readonly since: Date; readonly rows: readonly Row[] } | undefined;
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GroupsMeasured {
  readonly rows: Timed[];
  readonly refused: Refusal[];
  /** Why results could not be kept. */
  readonly notes: string[];
}

/** Measures all candidates on all sides; what a pilot saw refused is not tried again. */
export async function measureGroups(
  all: readonly Counted[],
  sides: readonly Side[],
  pilot: Pilot,
  options: GroupOptions,
): Promise<GroupsMeasured> {
  const { earlier, device, protocol, results, signal, onProgress = () => {} } = options;
  const find = earlier && finder(earlier.rows, { protocol, device, since: earlier.since });
  const refused = [...pilot.refused];
  const isRefused = ({ candidate: { name } }: Counted, { key, threads }: Side): boolean =>
    refused.some((one) => one.name === name && one.runtime === key && one.threads === threads);
  const rows: Timed[] = [];
  const notes: string[] = [];
  const reference = await prepare(counted(zooCandidate(REFERENCE)));
  const total = Math.max(pilot.runSeconds, 1e-9);
  let done = 0;
  for (const group of groupsOf(all)) {
    const prepared = new Map<Counted, Prepared>();
    for (const side of sides) {
      const what = `measuring on ${sideText(side)}`;
      const share = group.reduce((sum, one) => sum + pilot.weight(one, side), 0);
      const missing: Counted[] = [];
      for (const one of group.filter((member) => !isRefused(member, side))) {
        const { candidate, size, batch, form, macs, params } = one;
        const sought = {
          name: candidate.name,
          size,
          batch,
          form,
          macs,
          params,
          runtime: side.key,
          threads: side.threads,
        };
        const known = find?.(sought);
        if (known) rows.push(known);
        else missing.push(one);
      }
      for (const one of missing)
        if (!prepared.has(one)) prepared.set(one, isReference(one) ? reference : await prepare(one));
      const parts = await measureOn(
        side,
        reference,
        missing.map((one) => prepared.get(one)!),
        { protocol, signal, onRound: (part) => onProgress(Math.min(total, done + share * part), total, what) },
      );
      for (const { reference: pace, ones, refusals } of parts) {
        for (const { name, reason } of refusals)
          refused.push({ name, runtime: side.key, threads: side.threads, reason });
        const stored = groupRows([...(pace ? [pace] : []), ...ones.filter((one) => one !== pace)], protocol, device);
        const wanted = new Set(ones.map(({ model }) => model.name));
        rows.push(
          ...stored.filter(({ model }) => wanted.has(String(model))).map((row) => timedOf(row, pace?.measurement)),
        );
        await results?.append('measurements', stored).catch((error: unknown) => {
          if (!(error instanceof UserError)) throw error;
          const text = `The results could not be kept: ${error.message} ${error.hint}`.trim();
          if (!notes.includes(text)) notes.push(text);
        });
      }
      done += share;
      onProgress(Math.min(done, total), total, what);
    }
  }
  onProgress(total, total, 'measuring');
  return { rows, refused, notes };
}

/** What was measured in turn: the reference, and the candidates that were wanted (which may include it). */
interface Part {
  readonly reference?: MeasuredOne | undefined;
  readonly ones: readonly MeasuredOne[];
  readonly refusals: readonly { readonly name: string; readonly reason: string }[];
}

interface PartOptions {
  readonly protocol: Protocol;
  readonly signal: AbortSignal | undefined;
  /** Hears which part of the rounds is done. */
  readonly onRound: (part: number) => void;
}

/** Measures candidates and the reference in turn. Where that fails as a whole, e.g. for memory, each candidate alone. */
async function measureOn(
  side: Side,
  reference: Prepared,
  wanted: readonly Prepared[],
  options: PartOptions,
): Promise<Part[]> {
  if (wanted.length === 0) return [];
  const { protocol, signal, onRound } = options;
  const all = [reference, ...wanted.filter((one) => one !== reference)];
  const reasons = new Map<string, string>();
  try {
    const measurements = await measure(
      all.map((one) => subjectOf(side, one)),
      protocol,
      {
        onRound: (done, rounds) => onRound(done / rounds),
        onRefused: ({ name }, error) => reasons.set(name, reasonOf(error)),
        ...(signal ? { signal } : {}),
      },
    );
    const measured = all.flatMap(({ model: { name: form }, measured: model }): MeasuredOne[] => {
      const found = measurements.find(({ name }) => name === model.name);
      if (!found) return [];
      // Of different networks outputs are not to be compared.
      const { difference: _, ...measurement } = found;
      return [{ model, measurement: { ...measurement, name: form } }];
    });
    const named = (name: string): MeasuredOne | undefined => measured.find(({ model }) => model.name === name);
    return [
      {
        reference: named(REFERENCE),
        ones: wanted.flatMap(({ measured: { name } }) => named(name) ?? []),
        refusals: wanted.flatMap(({ measured: { name } }) =>
          reasons.has(name) ? [{ name, reason: reasons.get(name)! }] : [],
        ),
      },
    ];
  } catch (error) {
    if (signal?.aborted) throw error;
    if (wanted.length === 1)
      return [{ ones: [], refusals: [{ name: wanted[0]!.measured.name, reason: reasonOf(error) }] }];
    const parts: Part[] = [];
    for (const [i, one] of wanted.entries())
      parts.push(
        ...(await measureOn(side, reference, [one], {
          ...options,
          onRound: (part) => onRound((i + part) / wanted.length),
        })),
      );
    return parts;
  }
}

function subjectOf({ key, threads, loaded, load }: Side, { model, measured }: Prepared): Subject {
  const { runtime, settings } = loaded;
  return { ...{ name: measured.name, key, runtime, settings, threads, load }, open: () => loaded.open(model, threads) };
}
