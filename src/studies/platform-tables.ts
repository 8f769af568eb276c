/** The tables of the study of platforms. */
import { ZOO } from '../models/zoo/registry.ts';
import { TABLE_9 } from './paper.ts';
import type { MeasuredSide } from './sides.ts';
import type { RankCorrelation } from './statistics.ts';
import type { Column, Table } from './study.ts';
import { digits } from './words.ts';

export type PaperColumn = 'mobile' | 'cpu' | 'gpu';
export const PAPER_COLUMNS: readonly PaperColumn[] = ['mobile', 'cpu', 'gpu'];
export const PAPER_DEVICES: Readonly<Record<PaperColumn, string>> = {
  mobile: 'iPhone 12',
  cpu: 'Xeon CPU',
  gpu: 'RTX 2080 Ti',
};

/** A side, which networks are on its front (in rising order of latency), and how its order is like the paper's. */
export interface Compared {
  readonly side: MeasuredSide;
  readonly front: readonly string[];
  readonly orders: { readonly [column in PaperColumn]?: RankCorrelation };
}

const PAPER: readonly Column[] = [
  { name: 'paper_iphone_ms', unit: 'ms', meaning: 'the paper: iPhone 12, Core ML, minimum' },
  { name: 'paper_cpu_ms', unit: 'ms', meaning: 'the paper: Xeon Gold 5118' },
  { name: 'paper_gpu_ms', unit: 'ms', meaning: 'the paper: RTX 2080 Ti, TensorRT, median' },
];

/** A row for each network: its means on every side, beside the paper's three columns. */
export function comparedTable(compared: readonly Compared[], names: readonly string[]): Table {
  const column = ({ key }: MeasuredSide): string => `${key.replaceAll('-', '_')}_ms`;
  return {
    name: 'beside-the-paper',
    title: "All networks beside the paper's Table 9",
    columns: [
      { name: 'network', meaning: 'name in the zoo' },
      { name: 'top1', unit: '%', meaning: 'published accuracy on ImageNet' },
      ...compared.flatMap(({ side }): Column[] => [
        { name: column(side), unit: 'ms', meaning: `mean, ${side.title}, ${side.device}` },
        { name: column(side).replace('_ms', '_ci_ms'), unit: 'ms', meaning: 'half of its 95 % interval' },
      ]),
      ...PAPER,
    ],
    rows: names.map((network) => ({
      network,
      top1: ZOO[network]!.published.top1,
      ...Object.fromEntries(
        compared.flatMap(({ side }) => {
          const row = side.rows.find(({ name }) => name === network);
          return [
            [column(side), row ? digits(row.mean) : null],
            [column(side).replace('_ms', '_ci_ms'), row ? digits((row.interval[1] - row.interval[0]) / 2, 2) : null],
          ];
        }),
      ),
      paper_iphone_ms: TABLE_9[network]?.mobile ?? null,
      paper_cpu_ms: TABLE_9[network]?.cpu ?? null,
      paper_gpu_ms: TABLE_9[network]?.gpu ?? null,
    })),
  };
}

/** How like the paper's orders ours are. */
export function ordersTable(compared: readonly Compared[]): Table {
  return {
    name: 'orders',
    title: "Rank correlation of our latencies with the paper's",
    columns: [
      { name: 'runtime', meaning: 'runtime and threads' },
      { name: 'device', meaning: 'where it was measured' },
      { name: 'paper', meaning: "which of the paper's columns" },
      { name: 'networks', meaning: 'in both' },
      { name: 'rho', meaning: "Spearman's correlation" },
      { name: 'low', meaning: 'lower end of its 95 % bootstrap interval' },
      { name: 'high', meaning: 'upper end' },
      { name: 'p', meaning: 'p-value, two-sided' },
    ],
    rows: compared.flatMap(({ side, orders }) =>
      PAPER_COLUMNS.flatMap((paper) => {
        const order = orders[paper];
        if (!order) return [];
        const { rho, interval, p, n } = order;
        return [
          {
            ...{ runtime: side.title, device: side.device, paper, networks: n, rho: digits(rho, 3) },
            ...{ low: digits(interval[0], 3), high: digits(interval[1], 3), p: digits(p, 2) },
          },
        ];
      }),
    ),
  };
}

/** Which networks are on which front. */
export function frontTable(compared: readonly Compared[]): Table {
  const names = [...new Set(compared.flatMap(({ front }) => front))];
  const top1 = (name: string): number => ZOO[name]!.published.top1;
  return {
    name: 'fronts',
    title: 'Networks on a front',
    columns: [
      { name: 'network', meaning: 'name in the zoo' },
      { name: 'top1', unit: '%', meaning: 'published accuracy on ImageNet' },
      ...compared.map(({ side }) => ({ name: side.key, meaning: `on the front on ${side.title}, ${side.device}` })),
    ],
    rows: names
      .sort((a, b) => top1(a) - top1(b))
      .map((network) => ({
        network,
        top1: top1(network),
        ...Object.fromEntries(compared.map(({ side, front }) => [side.key, front.includes(network) ? 'yes' : null])),
      })),
  };
}
