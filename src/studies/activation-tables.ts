/** The table and the figures of the study of activations. */
import { ACTIVATIONS, type ActivationName } from '../models/zoo/activations.ts';
import { thirtyLayers } from '../models/zoo/thirty-layers.ts';
import { countsOf } from './candidates.ts';
import type { Bars } from './figures.ts';
import { baseOf, type Estimate, ratio, rowOf } from './in-turn.ts';
import { TABLE_2 } from './paper.ts';
import type { MeasuredSide } from './sides.ts';
import type { Table, Timed } from './study.ts';
import { digits } from './words.ts';

export const RELU: ActivationName = 'relu';
/** The network with an activation, as the results store and `--nets` call it. */
export const nameOf = (activation: ActivationName): string => `thirty_${activation}`;
/** ReLU in the second group. */
export const AGAIN = 'thirty_relu_again';

/** Of the paper's Table 2: how many times as long as ReLU. */
export const PAPER_RATIOS: Readonly<Partial<Record<ActivationName, number>>> = Object.fromEntries(
  Object.entries(TABLE_2).map(([name, ms]) => [name.replaceAll('-', '_'), ms / TABLE_2.relu]),
);

export interface ActivatedRow {
  readonly activation: ActivationName;
  readonly timed: Timed;
  /** To ReLU of the same group. */
  readonly ratio: Estimate;
}

/** The activations of a side. */
export interface Activated {
  readonly side: MeasuredSide;
  readonly rows: readonly ActivatedRow[];
  /** The second ReLU to the first, at the pace of each group. */
  readonly again: Estimate | undefined;
}

/** Compares all activations of a side with ReLU; undefined if it is not there. */
export function activatedOf(side: MeasuredSide): Activated | undefined {
  const bases = [nameOf(RELU), AGAIN].flatMap((name) => rowOf(side, name) ?? []);
  const [first, second] = bases;
  if (!first) return undefined;
  const rows = (Object.keys(ACTIVATIONS) as ActivationName[]).flatMap((activation): ActivatedRow[] => {
    const timed = rowOf(side, nameOf(activation));
    return timed ? [{ activation, timed, ratio: ratio(timed, baseOf(timed, bases)!) }] : [];
  });
  return { side, rows, again: second && first.name !== AGAIN ? ratio(second, first) : undefined };
}

/** Bytes that the activations of the network read and write if nothing is joined, in megabytes, and their operations. */
function workOf(activation: ActivationName): {
  readonly megabytes: number;
  readonly operations: number;
  readonly macs: number;
} {
  const { nodes } = countsOf({ name: activation, build: () => thirtyLayers({ activation }) });
  const own = nodes.filter(({ node }) => node.includes('.act'));
  const bytes = own.reduce((sum, { activationBytes, weightBytes }) => sum + activationBytes + weightBytes, 0);
  return { megabytes: bytes / 1e6, operations: own.length / 30, macs: own.reduce((sum, { macs }) => sum + macs, 0) };
}

/** A row for each activation and side. */
export function activationTable(compared: readonly Activated[]): Table {
  return {
    name: 'activations',
    title: 'Every activation, beside the paper',
    columns: [
      { name: 'activation', meaning: 'as its paper writes it' },
      { name: 'runtime', meaning: 'what ran it' },
      { name: 'threads', meaning: 'how many' },
      { name: 'mean_ms', unit: 'ms', meaning: 'of the whole network' },
      { name: 'ratio', meaning: 'to the network with ReLU' },
      { name: 'ratio_low', meaning: 'lower end of its 95 % interval' },
      { name: 'ratio_high', meaning: 'upper end' },
      { name: 'in_turn', meaning: 'yes where ReLU was measured round by round beside it' },
      { name: 'paper_ms', unit: 'ms', meaning: "the paper's network on an iPhone 12" },
      { name: 'paper_ratio', meaning: 'the same to ReLU' },
      { name: 'operations', meaning: 'of one activation in the graph' },
      {
        name: 'moved_mb',
        unit: 'MB',
        meaning: 'read and written by all thirty, weights too, if none is joined to a convolution',
      },
      { name: 'macs', meaning: 'multiply-adds of all thirty' },
    ],
    rows: compared.flatMap(({ side, rows }) =>
      rows.map(({ activation, timed, ratio: { value, interval, inTurn } }) => {
        const { megabytes, operations, macs } = workOf(activation);
        const paper = PAPER_RATIOS[activation];
        return {
          ...{ activation: ACTIVATIONS[activation].title, runtime: side.runtime, threads: side.threads },
          ...{
            mean_ms: digits(timed.mean),
            ratio: digits(value),
            ratio_low: digits(interval[0]),
            ratio_high: digits(interval[1]),
          },
          ...{ in_turn: inTurn ? 'yes' : 'no', paper_ms: paper === undefined ? null : digits(paper * TABLE_2.relu) },
          ...{ paper_ratio: paper === undefined ? null : digits(paper), operations, moved_mb: digits(megabytes), macs },
        };
      }),
    ),
  };
}

/** Ratios to ReLU, the paper's as ticks; logarithmic, as they reach from 1 to 179. */
export function ratioBars({ side, rows }: Activated): Bars {
  const shown = rows.filter(({ activation }) => activation !== RELU);
  const most = shown.reduce((a, b) => (b.ratio.value > a.ratio.value ? b : a));
  const least = shown.reduce((a, b) => (b.ratio.value < a.ratio.value ? b : a));
  const text = (value: number): string => (value >= 10 ? value.toFixed(0) : value.toFixed(2));
  return {
    kind: 'bars',
    name: `ratio-${side.key}`,
    title:
      shown.length > 1
        ? `On ${side.title}, activations cost from ${text(least.ratio.value)} (${ACTIVATIONS[least.activation].title}) to ${text(most.ratio.value)} times (${ACTIVATIONS[most.activation].title}) the time with ReLU`
        : `On ${side.title}, ${ACTIVATIONS[most.activation].title} costs ${text(most.ratio.value)} times the time with ReLU`,
    subtitle: `Thirty layers, one image of 224 px, ratio to ReLU with its 95 % interval, ${side.version}`,
    axis: { title: 'times as long as with ReLU', log: true },
    referenceName: 'paper, another 30 layers, iPhone 12',
    bars: shown.map(({ activation, ratio: { value, interval } }) => {
      const paper = PAPER_RATIOS[activation];
      return {
        label: ACTIVATIONS[activation].title,
        ...{ value, interval, emphasized: activation.startsWith('dynamic') },
        ...(paper === undefined
          ? { text: text(value) }
          : { reference: paper, text: `${text(value)} (paper ${text(paper)})` }),
      };
    }),
  };
}
