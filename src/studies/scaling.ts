/** Where a MobileOne spends its time, why its blocks stand where they stand, and what fusing buys (paper §3.2, §3.3, Table 7). */
import { VARIANTS } from '../models/mobileone.ts';
import { countsOf, wantedOf, zooCandidate } from './candidates.ts';
import { refusalNotes } from './refusals.ts';
import { branchLines, kindStack, moveBars, paceLines, paceSides, partStack } from './scaling-figures.ts';
import {
  changed,
  countedLayers,
  cutAfter,
  depthsOf,
  PARTS,
  sameLayers,
  withBranches,
  withDepths,
} from './scaling-nets.ts';
import { blockTable, branchTable, countTable, layerTableOf, partTable } from './scaling-tables.ts';
import { branchText, findingOf, layerText, moveText, paceText, partText } from './scaling-text.ts';
import {
  type BranchTime,
  type ChangeTime,
  difference,
  drift,
  type Found,
  type LayerOf,
  type PartTime,
  type Side,
  sidesOf,
  timedOn,
} from './scaling-times.ts';
import type { Candidate, Measured, Study, StudyContext, StudyResult } from './study.ts';
import { listText } from './words.ts';

/** The variants by their names in the zoo. */
const NETS = Object.keys(VARIANTS).map((variant) => `mobileone_${variant}`);
/** Numbers of convolutions a block (paper Table 6 goes from 1 to 5). */
const BRANCHES = [0, 1, 2, 3, 4, 5] as const;

export const scaling: Study = {
  name: 'scaling',
  title: 'Where the time goes, by stage and by branch',
  question:
    'Why do the blocks stand where they stand, and what do branches cost before they are fused? (paper §3.2, §3.3, Table 7)',
  nets: () => NETS,
  run,
};

/** Blocks more and less, by stages counted from 0; each against the network as it is. */
const CHANGES: readonly { readonly label: string; readonly changes: Readonly<Record<number, number>> }[] = [
  ...[0, 1, 2, 3].map((stage) => ({ label: `one block more in stage ${stage + 1}`, changes: { [stage]: 1 } })),
  ...[0, 1, 3].map((stage) => ({
    label: `one block moved from stage 3 to ${stage + 1}`,
    changes: { 2: -1, [stage]: 1 },
  })),
];

async function run(context: StudyContext): Promise<StudyResult> {
  const nets = wantedOf(context.quick && !context.nets ? NETS.slice(0, 2) : NETS, context.nets);
  const [first] = nets as [string];
  const changes = context.quick ? CHANGES.slice(0, 4) : CHANGES;
  const branches = context.quick ? [1, 4] : BRANCHES;
  const candidates: Candidate[] = [
    ...nets.flatMap((net) => [...PARTS.slice(0, -1).map((_, part) => cutAfter(net, part)), zooCandidate(net)]),
    ...changes.map((one) => withDepths(first, changed(depthsOf(first), one.changes))),
    ...branches.map((k) => withBranches(first, k)),
  ];
  const layers = nets.flatMap((net) => countedLayers(net).map((counted) => ({ net, counted })));
  // First, since `measure` fills the time that is left.
  const timed = await context.timeLayers?.(layers.map(({ counted }) => counted.layer));
  const measured = await context.measure(candidates);
  const byKey = new Map(timed?.map((time) => [time.layer.key, time]));
  const timedLayers = layers.map((one): LayerOf => {
    const time = byKey.get(one.counted.layer.key);
    return time ? { ...one, time } : one;
  });
  const sides = sidesOf(measured);
  const parts = sides.flatMap((side) => nets.flatMap((net) => partsOf(measured, side, net)));
  const moves = sides.flatMap((side) => changesOf(measured, side, first, changes));
  const forms = sides.flatMap((side) => formsOf(measured, side, first, branches));
  const everyFused = branches.every((k) => sameLayers(withBranches(first, k).build(), zooCandidate(first).build()));
  const [main] = sides as [Side];
  const of = <T extends { readonly side: Side }>(list: readonly T[]): T[] => list.filter(({ side }) => side === main);
  const study: Found = { first, main, layers: timedLayers, parts: of(parts), moves: of(moves), forms: of(forms) };
  return {
    finding: findingOf(study),
    sections: [
      { title: 'Where the time goes', text: partText(study), shows: ['part-ms', 'part-share', 'parts', 'counts'] },
      {
        title: 'What a multiply-add costs at each resolution',
        text: paceText(study, parts),
        shows: ['pace', 'pace-runtimes'],
      },
      { title: 'One block more, and one block elsewhere', text: moveText(study), shows: ['moves', 'blocks'] },
      { title: 'Layer by layer', text: layerText(study), shows: ['kinds', 'layers'] },
      {
        title: 'Branches, before and after fusing',
        text: branchText(study, forms, everyFused),
        shows: ['branches', 'forms'],
      },
    ],
    figures: [
      ...(study.parts.length > 0 ? [partStack(study, 'ms'), partStack(study, 'share'), paceLines(study)] : []),
      ...(sides.length > 1 && parts.length > 0 ? [paceSides(study, parts)] : []),
      ...(study.moves.length > 0 ? [moveBars(study)] : []),
      ...(timed ? [kindStack(study)] : []),
      ...(forms.length > 0 ? [branchLines(study, forms)] : []),
    ],
    tables: [
      partTable(parts, timedLayers),
      countTable(layers),
      blockTable(moves),
      layerTableOf(timedLayers),
      branchTable(forms),
    ],
    notes: [
      `The parts of a network are differences of networks that end after a stage and give one position of its output: feeding the image and preprocessing it are in the stem's part.`,
      ...uncertainNotes(parts),
      ...(timed ? [] : ['Single layers were not timed: the wasm engine is not at hand.']),
      ...refusalNotes(measured.refused, candidates.length),
      ...measured.notes,
    ],
  };
}

/** A sentence lists no more. */
const MOST_NAMED = 6;

/** Differences of noisy times may say nothing, or come out below zero. */
function uncertainNotes(parts: readonly PartTime[]): string[] {
  const uncertain = parts.filter(({ interval }) => interval[0] <= 0);
  if (uncertain.length === 0) return [];
  const where = uncertain.map(({ net, side, part }) => `${PARTS[part]} of ${net} on ${side.title}`);
  return [
    `The time of ${uncertain.length} of ${parts.length} parts is not told apart from nothing${where.length > MOST_NAMED ? '' : `: ${listText(where)}`}. Figures show what came out below zero as nothing.`,
  ];
}

/** Every part's time on a side; none if one of the cuts is missing. */
function partsOf(measured: Measured, side: Side, net: string): PartTime[] {
  const ends = PARTS.map((_, part) =>
    timedOn(measured, side, part === PARTS.length - 1 ? net : cutAfter(net, part).name),
  );
  if (!ends.every((end) => end !== undefined)) return [];
  const whole = ends.at(-1)!.mean;
  return ends.map((end, part): PartTime => {
    const { mean, interval } = part === 0 ? end : difference(end, ends[part - 1]!);
    return { net, side, part, mean, interval, share: mean / whole };
  });
}

function changesOf(measured: Measured, side: Side, net: string, changes: typeof CHANGES): ChangeTime[] {
  const base = timedOn(measured, side, net);
  if (!base) return [];
  return changes.flatMap(({ label, changes: blocks }): ChangeTime[] => {
    const depths = changed(depthsOf(net), blocks);
    const other = timedOn(measured, side, withDepths(net, depths).name);
    if (!other) return [];
    const counts = { macs: other.macs - base.macs, params: other.params - base.params };
    return [
      {
        label,
        side,
        depths,
        whole: other.mean,
        base: drift(other, base) * base.mean,
        ...counts,
        ...difference(other, base),
      },
    ];
  });
}

function formsOf(measured: Measured, side: Side, net: string, branches: readonly number[]): BranchTime[] {
  const fused = timedOn(measured, side, net);
  if (!fused) return [];
  return branches.flatMap((k): BranchTime[] => {
    const candidate = withBranches(net, k);
    const form = timedOn(measured, side, candidate.name);
    if (!form) return [];
    const { mean, interval, macs, params } = form;
    const { activationBytes } = countsOf(candidate);
    return [{ side, k, mean, interval, macs, params, activationBytes, fused: drift(form, fused) * fused.mean }];
  });
}
