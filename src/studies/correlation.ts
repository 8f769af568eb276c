/** Does latency follow FLOPs, parameters, or the memory that is moved? (paper §3.1, Figure 2, Table 1) */
import { ZOO } from '../models/zoo/registry.ts';
import { countsOf, familyOf, QUICK_NETS, wantedOf, zooCandidate, zooNameOf } from './candidates.ts';
import { correlationBars, metricScatter } from './correlation-figures.ts';
import {
  correlationTable,
  intervalTable,
  type Latencies,
  networkTable,
  type PaperCorrelation,
} from './correlation-tables.ts';
import { METRIC_NAMES, METRICS, type MetricName, type Metrics } from './metrics.ts';
import { TABLE_1, TABLE_9 } from './paper.ts';
import { refusalNotes } from './refusals.ts';
import { latencyTable, type MeasuredSide, sidesHere, sidesKept } from './sides.ts';
import { type RankCorrelation, spearman } from './statistics.ts';
import type { Section, Study, StudyContext, StudyResult } from './study.ts';
import { correlationText, countText, listText, rhoText } from './words.ts';

/** Fewer networks say nothing about an order. */
const LEAST = 5;

const figure2Nets = (): string[] => Object.keys(ZOO).filter((name) => ZOO[name]!.inFigure2);

export const correlation: Study = {
  name: 'correlation',
  title: 'Latency against FLOPs, parameters and memory',
  question: 'Do FLOPs or parameters tell how fast a network is? (paper §3.1, Figure 2, Table 1)',
  nets: figure2Nets,
  run,
};

async function run(context: StudyContext): Promise<StudyResult> {
  const every = figure2Nets();
  const names = wantedOf(
    context.quick && !context.nets ? every.filter((name) => QUICK_NETS.includes(name)) : every,
    context.nets,
  );
  const measured = await context.measure(names.map(zooCandidate));
  const metrics = new Map(names.map((name) => [name, countsOf(zooCandidate(name))]));
  const known = (model: string): string | undefined => {
    const name = zooNameOf(model);
    return name && metrics.has(name) ? name : undefined;
  };
  const sides = [...sidesHere(measured), ...sidesKept(context, known, LEAST)];
  const correlated = sides.flatMap((side) => ofSide(side, metrics));
  const main = correlated[0];
  const missing = every.filter((name) => !names.includes(name));
  const of21 = Object.keys(TABLE_9).filter((name) => TABLE_9[name]!.inFigure2);
  const notes = [
    ...(names.length < of21.length
      ? [
          `Figure 2 has ${of21.length} networks; ${names.length} are measured here${missing.length > 0 ? ` (left out by choice: ${missing.join(', ')})` : ''}. A correlation over other networks is another one, so the paper's is also computed for those measured here.`,
        ]
      : []),
    ...sides
      .filter((side) => !correlated.some((one) => one.side === side))
      .map(
        ({ title, rows }) =>
          `${title}: ${countText(rows.length, 'network')} could be measured, too few for a correlation.`,
      ),
    ...refusalNotes(measured.refused, names.length),
    ...measured.notes,
  ];
  if (!main)
    return {
      finding: `Only ${countText(names.length, 'network')} could be measured, too few to tell an order.`,
      sections: [{ title: 'Measured', text: '', shows: ['latencies'] }],
      figures: [],
      tables: [networkTable(metrics), latencyTable(sides, measured.refused)],
      notes,
    };
  const paper = paperLatencies(names);
  return {
    finding: findingOf(correlated),
    sections: sectionsOf(correlated, paper),
    figures: [
      correlationBars(correlated),
      ...METRIC_NAMES.map((metric) => metricScatter(main, metric, metrics, familyOf)),
    ],
    tables: [
      correlationTable(correlated, paper),
      intervalTable(correlated),
      networkTable(metrics),
      latencyTable(sides, measured.refused),
    ],
    notes,
  };
}

/** The correlations of a side's latencies; none for too few networks. */
function ofSide(side: MeasuredSide, metrics: ReadonlyMap<string, Metrics>): Latencies[] {
  if (side.rows.length < LEAST) return [];
  const latency = side.rows.map(({ mean }) => mean);
  const of = (metric: MetricName): RankCorrelation =>
    spearman(
      side.rows.map(({ name }) => METRICS[metric].of(metrics.get(name)!)),
      latency,
    );
  return [{ side, of: Object.fromEntries(METRIC_NAMES.map((metric) => [metric, of(metric)])) as Latencies['of'] }];
}

function paperLatencies(names: readonly string[]): PaperCorrelation[] {
  const own = names.flatMap((name) => TABLE_9[name] ?? []);
  return (['mobile', 'cpu'] as const).flatMap((column): PaperCorrelation[] => {
    const { device, macs, params } = TABLE_1[column];
    const published = { title: `paper, Table 1: ${device}`, n: 21, macs, params };
    if (own.length < LEAST) return [published];
    const latency = own.map((net) => net[column]);
    const of = (count: 'macs' | 'params'): RankCorrelation =>
      spearman(
        own.map((net) => net[count]),
        latency,
      );
    return [
      published,
      { title: `the same from Table 9, networks of this study`, n: own.length, macs: of('macs'), params: of('params') },
    ];
  });
}

/** Metrics from the one that latency follows best. */
const ranked = ({ of }: Latencies): MetricName[] => [...METRIC_NAMES].sort((a, b) => of[b].rho - of[a].rho);

function findingOf(correlated: readonly Latencies[]): string {
  const [main] = correlated as [Latencies];
  const [first, ...rest] = ranked(main);
  const others = rest.map((metric) => `${METRICS[metric].title} ${rhoText(main.of[metric].rho)}`);
  const range = (metric: MetricName): string => {
    const all = correlated.map(({ of }) => of[metric].rho);
    const [low, high] = [rhoText(Math.min(...all)), rhoText(Math.max(...all))];
    return low === high ? low : `${low} to ${high}`;
  };
  const devices = new Set(correlated.map(({ side }) => side.device)).size;
  const where =
    correlated.length > 1 ? ` on ${correlated.length} runtimes${devices > 1 ? ` of ${devices} devices` : ''}` : '';
  return [
    `On ${main.side.title}, the order of latency is closest to that of ${METRICS[first!].title} (rank correlation ${rhoText(main.of[first!].rho)}; ${others.join(', ')}).`,
    `FLOPs reach ${range('macs')} and parameters ${range('params')}${where}, where the paper has ${rhoText(TABLE_1.mobile.macs.rho)} and ${rhoText(TABLE_1.mobile.params.rho)} on a phone, ${rhoText(TABLE_1.cpu.macs.rho)} and ${rhoText(TABLE_1.cpu.params.rho)} on a CPU.`,
  ].join(' ');
}

/** Whether a published correlation is within the interval of ours. */
function besides(ours: RankCorrelation, paper: number): string {
  const [low, high] = ours.interval;
  if (paper >= low && paper <= high) return 'agrees, within the uncertainty of ours';
  return ours.rho > paper ? 'is below ours' : 'is above ours';
}

function sectionsOf(correlated: readonly Latencies[], paper: readonly PaperCorrelation[]): Section[] {
  const claim = (metric: 'macs' | 'params', { of }: Latencies): string =>
    `${METRICS[metric].title} ${correlationText(of[metric])}: the paper's ${rhoText(TABLE_1.mobile[metric].rho)} on the phone ${besides(of[metric], TABLE_1.mobile[metric].rho)}, its ${rhoText(TABLE_1.cpu[metric].rho)} on the CPU ${besides(of[metric], TABLE_1.cpu[metric].rho)}`;
  const lines = correlated.map(
    (one) =>
      `- **${one.side.title}**${one.side.device === 'this machine' ? '' : ` on ${one.side.device}`}: ${claim('macs', one)}; ${claim('params', one)}.`,
  );
  const beyond = correlated.filter(({ of }) => of.memory.rho > Math.max(of.macs.rho, of.params.rho));
  const memory = `Memory traffic was not in the paper's table. It tells the order of latency better than FLOPs and parameters on ${beyond.length} of ${correlated.length}${beyond.length > 0 ? `: ${listText(beyond.map(({ side }) => side.title))}` : ''}.`;
  const same = paper.find(({ title }) => !title.startsWith('paper'));
  return [
    {
      title: 'Rank correlation with latency, beside the paper',
      text: [
        `Spearman's ρ between the latencies and what can be counted without running a network; p-values two-sided, by Student's t with n − 2 degrees of freedom (by all permutations up to eight networks); intervals by bootstrap over networks.`,
        ...(same
          ? [
              `The paper's correlation is also computed anew from its Table 9, for the ${same.n} networks measured here.`,
            ]
          : []),
        lines.join('\n'),
        memory,
      ].join('\n\n'),
      shows: ['correlations', 'table-1', 'intervals'],
    },
    {
      title: `Every network, on ${correlated[0]!.side.title}`,
      text: METRIC_NAMES.map((metric) => `- **${METRICS[metric].title}**: ${METRICS[metric].meaning}`).join('\n'),
      shows: [...METRIC_NAMES.map((metric) => `latency-${metric}`), 'networks', 'latencies'],
    },
  ];
}
