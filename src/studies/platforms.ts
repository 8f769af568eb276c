/** Accuracy against latency on every runtime and device that was measured (paper §4.1, Figure 1, Table 9). */
import { ZOO } from '../models/zoo/registry.ts';
import { isMobileOne, QUICK_NETS, wantedOf, zooCandidate, zooNameOf } from './candidates.ts';
import { TABLE_9 } from './paper.ts';
import { frontScatter, orderScatter } from './platform-figures.ts';
import {
  type Compared,
  comparedTable,
  frontTable,
  ordersTable,
  PAPER_COLUMNS,
  PAPER_DEVICES,
  type PaperColumn,
} from './platform-tables.ts';
import { refusalNotes } from './refusals.ts';
import { latencyTable, type MeasuredSide, sidesHere, sidesKept } from './sides.ts';
import { paretoFront, type RankCorrelation, spearman } from './statistics.ts';
import type { Section, Study, StudyContext, StudyResult } from './study.ts';
import { correlationText, countText, listText, msText, rhoText } from './words.ts';

/** Fewer networks of another device make no front, and fewer pairs no order. */
const LEAST = 5;
/** Further networks of `--quick`, larger and older. */
const QUICK_ALSO: readonly string[] = ['resnet18', 'repvgg_a0'];

export const platforms: Study = {
  name: 'platforms',
  title: 'Accuracy against latency, on every runtime and device',
  question:
    'Which networks are worth their time, and does it depend on where they run? (paper §4.1, Figure 1, Table 9)',
  nets: () => Object.keys(ZOO),
  run,
};

async function run(context: StudyContext): Promise<StudyResult> {
  const every = Object.keys(ZOO);
  const quick = context.quick && !context.nets;
  const names = wantedOf(
    quick ? every.filter((name) => [...QUICK_NETS, ...QUICK_ALSO].includes(name)) : every,
    context.nets,
  );
  const measured = await context.measure(names.map(zooCandidate));
  const sides = [...sidesHere(measured), ...sidesKept(context, zooNameOf, LEAST)];
  const compared = sides.map(compare);
  const notes = [
    ...(quick ? [`Only ${names.length} of the ${every.length} networks of the zoo, for quickness.`] : []),
    ...refusalNotes(measured.refused, names.length),
    'Accuracies are the published ones, not measured here; the latencies are of the same architectures with random weights.',
    ...measured.notes,
  ];
  return {
    finding: findingOf(compared),
    sections: sectionsOf(compared),
    figures: [
      ...compared.map(frontScatter),
      ...(compared[0]!.orders.mobile ? [orderScatter(compared[0]!, 'mobile')] : []),
    ],
    tables: [
      comparedTable(compared, names),
      ordersTable(compared),
      frontTable(compared),
      latencyTable(sides, measured.refused),
    ],
    notes,
  };
}

function compare(side: MeasuredSide): Compared {
  const points = side.rows.map(({ name, mean }) => ({ name, x: mean, y: ZOO[name]!.published.top1 }));
  const order = (column: PaperColumn): RankCorrelation | undefined => {
    const pairs = side.rows.flatMap(({ name, mean }) => {
      const theirs = TABLE_9[name]?.[column];
      return theirs === undefined ? [] : [[mean, theirs] as const];
    });
    if (pairs.length < LEAST) return undefined;
    return spearman(
      pairs.map(([ours]) => ours),
      pairs.map(([, theirs]) => theirs),
    );
  };
  const orders = Object.fromEntries(PAPER_COLUMNS.map((column) => [column, order(column)]));
  return { side, front: paretoFront(points).map(({ name }) => name), orders };
}

const titlesOf = (names: readonly string[]): string => listText(names.map((name) => ZOO[name]!.title));
const placeOf = ({ side }: Compared): string =>
  side.device === 'this machine' ? side.title : `${side.title} on ${side.device}`;

function findingOf(compared: readonly Compared[]): string {
  const everywhere = compared[0]!.front.filter((name) => compared.every(({ front }) => front.includes(name)));
  const counts = compared.map(({ front }) => [front.filter(isMobileOne).length, front.length] as const);
  const shares = compared.map(
    ({ side }, i) =>
      `${counts[i]![0]} of ${counts[i]![1]} on ${side.title} (${countText(side.rows.length, 'network')} measured)`,
  );
  const first = `Of the networks on the Pareto front of accuracy and latency, MobileOne are ${listText(shares)}.`;
  const common =
    compared.length > 1
      ? everywhere.length > 0
        ? ` On the front everywhere: ${titlesOf(everywhere)}.`
        : ' No network is on the front everywhere.'
      : '';
  return first + common;
}

function sectionsOf(compared: readonly Compared[]): Section[] {
  const fronts = compared.map((one) => {
    const { side, front } = one;
    const times = front.map(
      (name) => `${ZOO[name]!.title} (${msText(side.rows.find((row) => row.name === name)!.mean)} ms)`,
    );
    return `- **${placeOf(one)}**: ${listText(times)}.`;
  });
  const orders = compared.flatMap((one) => {
    const texts = PAPER_COLUMNS.flatMap((column) => {
      const order = one.orders[column];
      return order
        ? [`with its ${PAPER_DEVICES[column]} ${correlationText(order)}, ${countText(order.n, 'network')}`]
        : [];
    });
    return texts.length > 0 ? [`- **${placeOf(one)}**: ${texts.join('; ')}.`] : [];
  });
  const nearest = PAPER_COLUMNS.flatMap((column) => {
    const order = compared[0]!.orders[column];
    return order ? [{ column, rho: order.rho }] : [];
  }).sort((a, b) => b.rho - a.rho)[0];
  return [
    {
      title: 'Which networks are worth their time',
      text: `The front: networks than which none is both faster and more accurate, by the means; where intervals overlap, their order may be chance.\n\n${fronts.join('\n')}`,
      shows: [...compared.map(({ side }) => `front-${side.key}`), 'fronts'],
    },
    {
      title: "Our order of networks beside the paper's",
      text: [
        nearest
          ? `The order on ${compared[0]!.side.title} is nearest to the paper's ${PAPER_DEVICES[nearest.column]} (ρ ${rhoText(nearest.rho)}).`
          : 'Too few of the networks are in the paper to compare orders.',
        orders.join('\n'),
        'Milliseconds of different devices are not to be compared; the order of networks is.',
      ]
        .filter(Boolean)
        .join('\n\n'),
      shows: ['order-mobile', 'orders', 'beside-the-paper', 'latencies'],
    },
  ];
}
