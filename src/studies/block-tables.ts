/** What the study of blocks computes of its measurements, its tables and figures. */
import { type Addition, thirtyLayers } from '../models/zoo/thirty-layers.ts';
import { countsOf } from './candidates.ts';
import type { Bars, Stack } from './figures.ts';
import { type Estimate, estimate, excess, ratio, rowOf, sign } from './in-turn.ts';
import type { MeasuredSide } from './sides.ts';
import type { Column, Table, Timed } from './study.ts';
import { digits, msText } from './words.ts';

export const BASELINE = 'thirty_relu';

/** The variants, the paper's three first. */
export const VARIANTS: Readonly<Record<Addition, { readonly title: string; readonly meaning: string }>> = {
  skip: {
    title: 'skip connections',
    meaning: 'reads the input of the pair again, adds, writes: bytes, and nothing to wait for',
  },
  se: {
    title: 'squeeze-and-excite',
    meaning: 'as many bytes as a skip connection, in three steps that wait for one another',
  },
  se_skip: { title: 'both', meaning: 'squeeze-and-excite, then the skip connection' },
  gate: { title: 'a constant gate', meaning: 'the bytes of the multiplication by gates that are known beforehand' },
  pool: {
    title: 'the global pool alone',
    meaning: 'the reduction of squeeze-and-excite; the image is read, and goes on unchanged',
  },
  excite: { title: 'the pool and the two layers', meaning: 'all of squeeze-and-excite but its multiplication' },
};
export const ADDITIONS = Object.keys(VARIANTS) as readonly Addition[];
export const nameOf = (addition: Addition): string => `thirty_${addition}`;

export interface VariantRow {
  readonly addition: Addition;
  readonly timed: Timed;
  readonly ratio: Estimate;
  /** Milliseconds more than the baseline. */
  readonly excess: Estimate;
}

/** The variants of a side. */
export interface Blocks {
  readonly side: MeasuredSide;
  readonly baseline: Timed;
  readonly rows: readonly VariantRow[];
  /** Where their parts were measured: milliseconds of SE more than of a skip connection, which moves the same bytes. */
  readonly synchronization: Estimate | undefined;
  readonly parts: Readonly<Record<SePart, Estimate>> | undefined;
}

/** SE in three parts: what `pool` adds, what `excite` adds to that, what `se` adds to that. */
export type SePart = 'reduction' | 'layers' | 'scaling';

export function blocksOf(side: MeasuredSide): Blocks | undefined {
  const baseline = rowOf(side, BASELINE);
  if (!baseline) return undefined;
  const timed = (addition: Addition): Timed | undefined => rowOf(side, nameOf(addition));
  const rows = ADDITIONS.flatMap((addition): VariantRow[] => {
    const row = timed(addition);
    return row ? [{ addition, timed: row, ratio: ratio(row, baseline), excess: excess(row, baseline) }] : [];
  });
  const [skip, se, pool, excite] = (['skip', 'se', 'pool', 'excite'] as const).map(timed);
  return {
    ...{ side, baseline, rows },
    synchronization: se && skip && excess(se, skip),
    parts:
      se && pool && excite
        ? { reduction: excess(pool, baseline), layers: excess(excite, pool), scaling: excess(se, excite) }
        : undefined,
  };
}

export const excessOf = ({ rows }: Blocks, addition: Addition): Estimate | undefined =>
  rows.find((row) => row.addition === addition)?.excess;

/** What a variant has more than the baseline, in the graph. */
export function moreOf(addition: Addition): {
  readonly bytes: number;
  readonly macs: number;
  readonly operations: number;
} {
  const [own, base] = [{ addition }, {}].map((options) =>
    countsOf({ name: BASELINE, build: () => thirtyLayers(options) }),
  );
  const bytes = (counts: typeof own): number => counts!.activationBytes + counts!.weightBytes;
  return {
    bytes: bytes(own) - bytes(base),
    macs: own!.macs - base!.macs,
    operations: own!.nodes.length - base!.nodes.length,
  };
}

const estimateColumns = (name: string, unit: string | undefined, meaning: string): Column[] => [
  { name, ...(unit ? { unit } : {}), meaning },
  { name: `${name}_low`, ...(unit ? { unit } : {}), meaning: 'lower end of its 95 % interval' },
  { name: `${name}_high`, ...(unit ? { unit } : {}), meaning: 'upper end' },
];
const estimateCells = (name: string, { value, interval }: Estimate): Record<string, number> => ({
  [name]: digits(value),
  [`${name}_low`]: digits(interval[0]),
  [`${name}_high`]: digits(interval[1]),
});

const SIDE: readonly Column[] = [
  { name: 'runtime', meaning: 'what ran it' },
  { name: 'threads', meaning: 'how many' },
];

/** A row for each variant and side. */
export function blockTable(all: readonly Blocks[]): Table {
  return {
    name: 'blocks',
    title: 'What each addition costs',
    columns: [
      { name: 'added', meaning: 'to each of the ten pairs that keep their shape' },
      ...SIDE,
      { name: 'mean_ms', unit: 'ms', meaning: 'of the whole network' },
      ...estimateColumns('ratio', undefined, 'to the network without it'),
      ...estimateColumns('more_ms', 'ms', 'longer than without it'),
      { name: 'more_kb', unit: 'kB', meaning: 'read and written more, weights too, counted from the graph' },
      { name: 'more_macs', meaning: 'multiply-adds more' },
      { name: 'more_operations', meaning: 'operations more in the graph' },
    ],
    rows: all.flatMap(({ side: { runtime, threads }, baseline, rows }) => [
      {
        ...{ added: 'nothing', runtime, threads, mean_ms: digits(baseline.mean) },
        ...{ ratio: 1, ratio_low: null, ratio_high: null, more_ms: 0, more_ms_low: null, more_ms_high: null },
        ...{ more_kb: 0, more_macs: 0, more_operations: 0 },
      },
      ...rows.map(({ addition, timed, ratio: times, excess: more }) => {
        const { bytes, macs, operations } = moreOf(addition);
        return {
          ...{ added: VARIANTS[addition].title, runtime, threads, mean_ms: digits(timed.mean) },
          ...estimateCells('ratio', times),
          ...estimateCells('more_ms', more),
          ...{ more_kb: digits(bytes / 1e3), more_macs: macs, more_operations: operations },
        };
      }),
    ]),
  };
}

/** An addition on one thread and on more of the same runtime. */
export interface Threaded {
  readonly addition: Addition;
  readonly runtime: string;
  readonly threads: number;
  readonly one: Estimate;
  readonly more: Estimate;
  /** How many times as fast the network without additions is on the threads. */
  readonly speedup: number;
  /** Milliseconds on the threads beyond what the addition would take if it were sped up as the network is. */
  readonly waiting: Estimate;
}

/** Every addition that was measured on one thread and on more. */
export function threadedOf(all: readonly Blocks[]): Threaded[] {
  return all.flatMap((many) => {
    const single = all.find(({ side }) => side.runtime === many.side.runtime && side.threads === 1);
    if (!single || many.side.threads === 1) return [];
    return many.rows.flatMap(({ addition, timed, excess: more }): Threaded[] => {
      const alone = single.rows.find((row) => row.addition === addition);
      if (!alone) return [];
      const waiting = estimate(
        [timed, many.baseline, alone.timed, single.baseline],
        (a, b, c, d) => a! - b! - (c! - d!) * (b! / d!),
      );
      return [
        {
          ...{ addition, runtime: many.side.runtime, threads: many.side.threads, one: alone.excess, more, waiting },
          speedup: single.baseline.mean / many.baseline.mean,
        },
      ];
    });
  });
}

/** A row for each addition that was measured on one thread and on more. */
export function threadTable(rows: readonly Threaded[]): Table {
  return {
    name: 'threads',
    title: 'What threads do for each addition',
    columns: [
      { name: 'added', meaning: 'to each of the ten pairs that keep their shape' },
      ...SIDE,
      ...estimateColumns('one_ms', 'ms', 'that it takes on one thread'),
      ...estimateColumns('more_ms', 'ms', 'that it takes on the threads'),
      { name: 'network_speedup', meaning: 'how many times as fast the network without it is on the threads' },
      ...estimateColumns(
        'waiting_ms',
        'ms',
        'on the threads, beyond what it would take if it were sped up as the network is',
      ),
    ],
    rows: rows.map(({ addition, runtime, threads, one, more, speedup, waiting }) => ({
      ...{ added: VARIANTS[addition].title, runtime, threads, network_speedup: digits(speedup) },
      ...estimateCells('one_ms', one),
      ...estimateCells('more_ms', more),
      ...estimateCells('waiting_ms', waiting),
    })),
  };
}

const percentOf = (value: number, base: number): string => `${((100 * value) / base).toFixed(1).replace('-', '−')} %`;

/** `add 5.0 %`, `take 1.2 % off`, or that neither can be told. */
export function costText(more: Estimate, { mean }: Timed): string {
  if (sign(more) === 0) return 'add nothing that can be told';
  return more.value > 0 ? `add ${percentOf(more.value, mean)}` : `take ${percentOf(-more.value, mean)} off`;
}

/** Milliseconds more of every variant. */
export function excessBars(blocks: Blocks): Bars {
  const { side, rows, baseline } = blocks;
  const [skip, se] = (['skip', 'se'] as const).map((addition) => excessOf(blocks, addition));
  return {
    kind: 'bars',
    name: `more-${side.key}`,
    title:
      skip && se
        ? `On ${side.title}, skip connections ${costText(skip, baseline)}, squeeze-and-excites ${costText(se, baseline)}`
        : `What additions cost beside ${msText(baseline.mean)} ms on ${side.title}`,
    subtitle: `Milliseconds more than the network without them (${msText(baseline.mean)} ms), 95 % intervals, ${side.version}`,
    axis: { title: 'longer than without', unit: 'ms' },
    bars: rows.map(({ addition, excess: { value, interval } }) => ({
      label: VARIANTS[addition].title,
      ...{ value, interval },
      text: `${msText(value).replace('-', '−')} ms`,
      emphasized: addition === 'skip' || addition === 'se',
    })),
  };
}

const PART_TITLES: Readonly<Record<SePart, string>> = {
  reduction: 'global pool',
  layers: 'two small layers',
  scaling: 'multiplication',
};

/** SE in its parts on every side; parts below nothing, which noise makes, are drawn as nothing. */
export function partStack(all: readonly Blocks[]): Stack {
  const shown = all.flatMap(({ side, parts }) => (parts ? [{ side, parts }] : []));
  const [{ side, parts }] = shown as [{ side: MeasuredSide; parts: Readonly<Record<SePart, Estimate>> }];
  const names = Object.keys(PART_TITLES) as SePart[];
  const most = names.reduce((a, b) => (parts[b].value > parts[a].value ? b : a));
  return {
    kind: 'stack',
    name: 'parts',
    title:
      sign(parts[most]) > 0
        ? `The dearest part of ten squeeze-and-excites on ${side.title}: ${PART_TITLES[most]}, ${msText(parts[most].value)} ms`
        : `Which part of squeeze-and-excite is the dearest on ${side.title} can not be told`,
    subtitle:
      'Milliseconds of ten, each part added to the one before it; parts below nothing, which noise makes, are left out',
    axis: { title: 'longer than without', unit: 'ms' },
    parts: names.map((name) => PART_TITLES[name]),
    stacks: shown.map((one) => ({
      label: one.side.title,
      values: Object.fromEntries(names.map((name) => [PART_TITLES[name], Math.max(0, one.parts[name].value)])),
    })),
  };
}
