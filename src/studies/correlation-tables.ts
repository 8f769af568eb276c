/** The tables of the study of correlation. */
import { zooSize } from './candidates.ts';
import { METRIC_NAMES, METRICS, type MetricName, type Metrics } from './metrics.ts';
import { TABLE_9 } from './paper.ts';
import type { MeasuredSide } from './sides.ts';
import type { RankCorrelation } from './statistics.ts';
import type { Column, Table } from './study.ts';
import { digits } from './words.ts';

/** The correlations of one side. */
export interface Latencies {
  readonly side: MeasuredSide;
  readonly of: Readonly<Record<MetricName, RankCorrelation>>;
}

/** What the paper's own latencies and counts (Table 9) give for the networks that are measured here, and for its 21. */
export interface PaperCorrelation {
  readonly title: string;
  readonly n: number;
  readonly macs: { readonly rho: number; readonly p: number };
  readonly params: { readonly rho: number; readonly p: number };
}

/** ρ and p of every metric, a row for each side, under the paper's rows. */
export function correlationTable(correlated: readonly Latencies[], paper: readonly PaperCorrelation[]): Table {
  return {
    name: 'table-1',
    title: "Rank correlation with latency, beside the paper's Table 1",
    columns: [
      { name: 'latency', meaning: 'whose latencies' },
      { name: 'networks', meaning: 'how many' },
      ...METRIC_NAMES.flatMap((metric): Column[] => [
        { name: `${metric}_rho`, meaning: `Spearman's correlation with ${METRICS[metric].title}` },
        { name: `${metric}_p`, meaning: 'its p-value, two-sided' },
      ]),
    ],
    rows: [
      ...paper.map(({ title, n, macs, params }) => ({
        ...{ latency: title, networks: n, macs_rho: digits(macs.rho, 3), macs_p: digits(macs.p, 2) },
        ...{ params_rho: digits(params.rho, 3), params_p: digits(params.p, 2) },
        ...{ activations_rho: null, activations_p: null, memory_rho: null, memory_p: null },
      })),
      ...correlated.map(({ side, of }) => ({
        ...{
          latency: side.device === 'this machine' ? side.title : `${side.title}, ${side.device}`,
          networks: of.macs.n,
        },
        ...Object.fromEntries(
          METRIC_NAMES.flatMap((metric) => [
            [`${metric}_rho`, digits(of[metric].rho, 3)],
            [`${metric}_p`, digits(of[metric].p, 2)],
          ]),
        ),
      })),
    ],
  };
}

/** Every correlation with its interval. */
export function intervalTable(correlated: readonly Latencies[]): Table {
  return {
    name: 'intervals',
    title: 'The same with 95 % intervals',
    columns: [
      { name: 'device', meaning: 'where it was measured' },
      { name: 'runtime', meaning: 'runtime and threads' },
      { name: 'metric', meaning: 'what is counted' },
      { name: 'networks', meaning: 'how many' },
      { name: 'rho', meaning: "Spearman's correlation" },
      { name: 'low', meaning: 'lower end of the bootstrap interval' },
      { name: 'high', meaning: 'its upper end' },
      { name: 'p', meaning: 'p-value, two-sided' },
      { name: 'p_method', meaning: "t: Student's t; exact: all permutations" },
    ],
    rows: correlated.flatMap(({ side, of }) =>
      METRIC_NAMES.map((metric) => {
        const { rho, interval, p, method, n } = of[metric];
        return {
          ...{ device: side.device, runtime: side.title, metric: METRICS[metric].title, networks: n, rho: digits(rho) },
          ...{ low: digits(interval[0]), high: digits(interval[1]), p: digits(p, 3), p_method: method },
        };
      }),
    ),
  };
}

/** What is counted of each network. */
export function networkTable(metrics: ReadonlyMap<string, Metrics>): Table {
  return {
    name: 'networks',
    title: 'What is counted',
    columns: [
      { name: 'network', meaning: 'name in the zoo' },
      { name: 'size_px', unit: 'px', meaning: 'side of the image' },
      ...METRIC_NAMES.map((metric) => ({
        name: metric,
        unit: METRICS[metric].unit,
        meaning: METRICS[metric].meaning.replace(/\.$/, ''),
      })),
      { name: 'paper_iphone_ms', unit: 'ms', meaning: "the paper's latency on an iPhone 12" },
      { name: 'paper_cpu_ms', unit: 'ms', meaning: "the paper's latency on a Xeon Gold 5118" },
    ],
    rows: [...metrics].map(([network, counts]) => ({
      ...{ network, size_px: zooSize(network) },
      ...Object.fromEntries(METRIC_NAMES.map((metric) => [metric, digits(METRICS[metric].of(counts), 5)])),
      paper_iphone_ms: TABLE_9[network]?.mobile ?? null,
      paper_cpu_ms: TABLE_9[network]?.cpu ?? null,
    })),
  };
}
