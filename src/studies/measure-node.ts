/** The measuring of a study in Node: by one protocol, in groups that share a reference network. */

import type { Protocol } from '../bench/protocol.ts';
import type { RuntimeKey, RuntimeTable } from '../bench/runtimes.ts';
import { UserError } from '../core/errors.ts';
import { REFERENCE } from './candidates.ts';
import { type GroupOptions, measureGroups } from './measure-groups-node.ts';
import { loadSides, type Side, sideText } from './open-runtimes.ts';
import { tryAll, untried } from './pilot-node.ts';
import { protocolFor } from './plan.ts';
import { counted } from './prepare-node.ts';
import type { StudyContext, Timed } from './study.ts';
import { msText } from './words.ts';

export interface MeasurerOptions extends Omit<GroupOptions, 'protocol'> {
  readonly table: RuntimeTable;
  readonly runtimes: readonly RuntimeKey[];
  readonly threads: readonly number[];
  /** Seconds for all of it, trying out included. */
  readonly seconds: number;
  /** The protocol of the study that is gone on with, or that the user asks for; otherwise it is chosen. */
  readonly protocol?: Protocol | undefined;
  /** Hears of the protocol before anything is measured by it. */
  readonly onProtocol?: ((protocol: Protocol) => Promise<void>) | undefined;
}

/** Part of the time that is left that is planned for: with many networks in turn runs take a little longer than one by one, as they are tried. */
const SHARE = 0.85;
/** Times of the reference in different groups that differ by more are told. */
const DRIFT = 0.05;

/** Makes the `measure` of a study's context. */
export function measurer(options: MeasurerOptions): StudyContext['measure'] {
  const began = performance.now();
  let { protocol } = options;
  return async (candidates, wish = {}) => {
    const runtimes = options.runtimes.filter((key) => wish.runtimes?.includes(key) ?? true);
    const { sides, notes } = await loadSides(options.table, runtimes, options.threads);
    if (sides.length === 0) throw new UserError('Nothing can be measured here.', notes.join(' '));
    const all = candidates.map(counted);
    const pilot = protocol ? untried(all, sides) : await tryAll(all, sides, options);
    if (!protocol) {
      const left = options.seconds - (performance.now() - began) / 1000;
      const chosen = protocolFor(SHARE * (left - pilot.openSeconds), pilot.runSeconds);
      protocol = chosen.protocol;
      if (chosen.over !== undefined)
        notes.push(`Measuring took longer than asked for: the shortest protocol needs ${minutes(chosen.over)}.`);
      await options.onProtocol?.(protocol);
    }
    const measured = await measureGroups(all, sides, pilot, { ...options, protocol });
    if (measured.rows.length === 0)
      throw new UserError('Nothing could be measured here.', measured.refused[0]?.reason ?? notes.join(' '));
    const rows = inOrder(measured.rows, candidates, sides);
    const found = [...driftNotes(rows, sides), ...noiseNotes(rows)];
    return {
      protocol,
      rows,
      refused: measured.refused,
      notes: [...notes, ...pilot.notes, ...found, ...measured.notes],
    };
  };
}

const minutes = (seconds: number): string => `${(seconds / 60).toFixed(1)} minutes`;

/** By side, in each the candidates in their order. */
function inOrder(
  rows: readonly Timed[],
  candidates: readonly { readonly name: string }[],
  sides: readonly Side[],
): Timed[] {
  return sides.flatMap(({ key, threads }) =>
    candidates.flatMap(
      ({ name }) => rows.find((row) => row.name === name && row.runtime === key && row.threads === threads) ?? [],
    ),
  );
}

/** Whether the machine was as fast for one group as for another. */
function driftNotes(rows: readonly Timed[], sides: readonly Side[]): string[] {
  return sides.flatMap((side) => {
    const paces = rows
      .filter(({ runtime, threads }) => runtime === side.key && threads === side.threads)
      .map(({ reference }) => reference)
      .filter(Number.isFinite);
    const [low, high] = [Math.min(...paces), Math.max(...paces)];
    if (paces.length === 0 || high / low < 1 + DRIFT) return [];
    return [
      `On ${sideText(side)} the machine did not keep its pace: ${REFERENCE}, measured with every group of networks, took from ${msText(low)} to ${msText(high)} ms. Times of different groups compare no better than that.`,
    ];
  });
}

function noiseNotes(rows: readonly Timed[]): string[] {
  const noisy = rows.filter(({ noise }) => noise.length > 0);
  if (noisy.length === 0) return [];
  return [
    `${noisy.length} of ${rows.length} measurements are noisy (marked in the tables): their means are known to no better than ± 5 %, or they drifted.`,
  ];
}
