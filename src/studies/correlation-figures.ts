/** The figures of the study of correlation. */

import { ZOO } from '../models/zoo/registry.ts';
import { isMobileOne } from './candidates.ts';
import type { Latencies } from './correlation-tables.ts';
import type { Bars, Scatter } from './figures.ts';
import { METRIC_NAMES, METRICS, type MetricName, type Metrics } from './metrics.ts';
import { TABLE_1 } from './paper.ts';
import { countText, pText, rhoText, strength } from './words.ts';

const PAPER: Readonly<Partial<Record<MetricName, number>>> = {
  macs: TABLE_1.mobile.macs.rho,
  params: TABLE_1.mobile.params.rho,
};

/** All correlations, the paper's beside those it has. */
export function correlationBars(correlated: readonly Latencies[]): Bars {
  const best = METRIC_NAMES.map((metric) => ({
    metric,
    mean: correlated.reduce((sum, { of }) => sum + of[metric].rho, 0) / correlated.length,
  })).sort((a, b) => b.mean - a.mean);
  const [first, last] = [best[0]!, best.at(-1)!];
  return {
    kind: 'bars',
    name: 'correlations',
    title: `Latency is ordered most like ${METRICS[first.metric].title} (ρ ${rhoText(first.mean)}${correlated.length > 1 ? ' on average' : ''}), least like ${METRICS[last.metric].title} (${rhoText(last.mean)})`,
    subtitle: `Spearman's ρ with 95 % bootstrap intervals over ${countText(correlated[0]!.of.macs.n, 'network')}`,
    axis: { title: 'rank correlation with latency' },
    referenceName: `paper, ${TABLE_1.mobile.device}`,
    bars: METRIC_NAMES.flatMap((metric) =>
      correlated.map(({ side, of }) => ({
        label: `${METRICS[metric].title}: ${side.title}${side.device === 'this machine' ? '' : `, ${side.device.split(',')[0]}`}`,
        value: of[metric].rho,
        interval: of[metric].interval,
        text: rhoText(of[metric].rho),
        ...(PAPER[metric] === undefined ? {} : { reference: PAPER[metric] }),
        emphasized: metric === first.metric,
      })),
    ),
  };
}

/** Latency over one metric, a point for each network. */
export function metricScatter(
  { side, of }: Latencies,
  metric: MetricName,
  metrics: ReadonlyMap<string, Metrics>,
  familyOf: (name: string) => string,
): Scatter {
  const { title, unit, of: countOf } = METRICS[metric];
  const { rho, p } = of[metric];
  const paper =
    PAPER[metric] === undefined ? '' : `; the paper has ${rhoText(PAPER[metric])} on an ${TABLE_1.mobile.device}`;
  const head = title[0]!.toUpperCase() + title.slice(1);
  return {
    kind: 'scatter',
    name: `latency-${metric}`,
    title: `${head} ${/s$/.test(title) ? 'tell' : 'tells'} the order of latency ${strength(rho)}: rank correlation ${rhoText(rho)} (${pText(p)})`,
    subtitle: `${countText(side.rows.length, 'network')}, one image, ${side.title}${paper}`,
    x: { title, unit, log: true },
    y: { title: 'latency', unit: 'ms', log: true },
    trend: true,
    points: side.rows.map(({ name, mean, interval }) => ({
      label: ZOO[name]!.title,
      x: countOf(metrics.get(name)!),
      y: mean,
      yInterval: interval,
      family: familyOf(name),
      emphasized: isMobileOne(name),
    })),
  };
}
