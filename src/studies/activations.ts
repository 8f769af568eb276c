/** What an activation costs (paper §3.1, Table 2): one network, ten activations. */
import { ACTIVATIONS, type ActivationName } from '../models/zoo/activations.ts';
import { thirtyLayers } from '../models/zoo/thirty-layers.ts';
import {
  type Activated,
  AGAIN,
  activatedOf,
  activationTable,
  nameOf,
  PAPER_RATIOS,
  RELU,
  ratioBars,
} from './activation-tables.ts';
import { wantedOf } from './candidates.ts';
import { refusalNotes } from './refusals.ts';
import { latencyTable, sidesHere } from './sides.ts';
import { spearman } from './statistics.ts';
import type { Candidate, Section, Study, StudyContext, StudyResult } from './study.ts';
import { countText, listText, pText, rhoText } from './words.ts';

/** The paper's, in its order, then others. */
const PAPERS: readonly ActivationName[] = [
  ...(['relu', 'gelu', 'se_relu', 'silu', 'dynamic_shift_max', 'dynamic_relu_a', 'dynamic_relu_b'] as const),
];
const OTHERS: readonly ActivationName[] = ['relu6', 'prelu', 'hard_swish'];

const candidateOf = (activation: ActivationName): Candidate => ({
  name: nameOf(activation),
  build: () => thirtyLayers({ activation }),
});

export const activations: Study = {
  name: 'activations',
  title: 'What an activation costs',
  question: 'How much longer does the same network take with another activation than with ReLU? (paper §3.1, Table 2)',
  nets: () => [...PAPERS, ...OTHERS].map(nameOf),
  run,
};

/** What is measured: the paper's activations in one group, the others in another, with ReLU once more. */
function candidatesOf({ quick, nets }: StudyContext): Candidate[] {
  const all = [...PAPERS, ...OTHERS];
  if (nets) {
    const wanted = wantedOf(all.map(nameOf), nets);
    return all.filter((name) => name === 'relu' || wanted.includes(nameOf(name))).map(candidateOf);
  }
  if (quick) return PAPERS.map(candidateOf);
  return [...PAPERS.map(candidateOf), { ...candidateOf('relu'), name: AGAIN }, ...OTHERS.map(candidateOf)];
}

async function run(context: StudyContext): Promise<StudyResult> {
  const candidates = candidatesOf(context);
  const measured = await context.measure(candidates);
  const sides = sidesHere(measured);
  const compared = sides.flatMap((side) => activatedOf(side) ?? []);
  const notes = [
    'The thirty layers of the paper are not published. Those measured here are ours (`src/models/zoo/thirty-layers.ts`), so ratios are to be compared with the paper, not milliseconds.',
    'Runtimes join ReLU to the convolution before it, and some of them other activations too; what is not joined goes over all values once more. Graphs are measured as runtimes take them, which is what an app gets.',
    ...(context.quick && !context.nets ? ["Only the paper's seven activations, for quickness."] : []),
    ...refusalNotes(measured.refused, candidates.length),
    ...compared.flatMap(againNote),
    ...measured.notes,
  ];
  const main = compared[0];
  const table = latencyTable(sides, measured.refused);
  const latencies = {
    ...table,
    columns: table.columns.map((one) =>
      one.name === 'network' ? { ...one, meaning: 'the thirty layers with an activation' } : one,
    ),
  };
  if (!main || main.rows.length < 2)
    return {
      finding: 'ReLU and another activation could not both be measured on any runtime, so nothing can be compared.',
      sections: [],
      figures: [],
      tables: [latencies],
      notes,
    };
  return {
    finding: findingOf(compared),
    sections: sectionsOf(compared),
    figures: compared.filter(({ rows }) => rows.length > 1).map(ratioBars),
    tables: [activationTable(compared), latencies],
    notes,
  };
}

const times = (value: number): string => (value >= 10 ? value.toFixed(0) : value.toFixed(2));

/** The activation of the highest ratio but ReLU. */
const dearest = ({ rows }: Activated): Activated['rows'][number] =>
  rows.reduce((most, row) => (row.ratio.value > most.ratio.value ? row : most));

function findingOf(compared: readonly Activated[]): string {
  const [main] = compared as [Activated];
  const most = dearest(main);
  const paper = Math.max(...Object.values(PAPER_RATIOS));
  const all = compared.map((one) => dearest(one).ratio.value);
  const elsewhere =
    compared.length > 1
      ? ` Over all runtimes measured the dearest is ${times(Math.min(...all))} to ${times(Math.max(...all))} times as slow as ReLU.`
      : '';
  return `On ${main.side.title}, the dearest activation, ${ACTIVATIONS[most.activation].title}, takes ${times(most.ratio.value)} times as long as ReLU in the same network, where the paper's dearest takes ${times(paper)} times as long on an iPhone.${elsewhere}`;
}

/** Whether both measurements of ReLU agree, which tells what a ratio of different groups is worth. */
function againNote({ side, again }: Activated): string[] {
  if (!again) return [];
  const percent = 100 * Math.abs(again.value - 1);
  return [
    `ReLU was measured twice on ${side.title}, once in each group: the second took ${times(again.value)} times as long as the first (${percent.toFixed(1)} % apart, 95 %: ${times(again.interval[0])} to ${times(again.interval[1])}).`,
  ];
}

function sideText({ side, rows }: Activated): string {
  const shown = rows.filter(({ activation }) => activation !== RELU);
  const texts = shown.map(({ activation, ratio }) => {
    const paper = PAPER_RATIOS[activation];
    return `${ACTIVATIONS[activation].title} ${times(ratio.value)}${paper === undefined ? '' : ` (paper ${times(paper)})`}`;
  });
  const both = rows.filter(({ activation }) => PAPER_RATIOS[activation] !== undefined);
  if (both.length < 4) return `- **${side.title}**: ${texts.join(', ')}.`;
  const order = spearman(
    both.map(({ ratio }) => ratio.value),
    both.map(({ activation }) => PAPER_RATIOS[activation]!),
  );
  return `- **${side.title}**: ${texts.join(', ')}. The order correlates with the paper's by ρ ${rhoText(order.rho)} (${pText(order.p)}).`;
}

/** Sentences about the paper's claims, from our numbers. */
function verdicts(compared: readonly Activated[]): string[] {
  const titles = (chosen: readonly Activated[]): string => listText(chosen.map(({ side }) => side.title));
  const cheapest = compared.filter(({ rows }) =>
    rows.every(({ activation, ratio }) => activation === RELU || ratio.interval[1] >= 1),
  );
  const dynamic = (one: Activated): number[] =>
    one.rows.flatMap(({ activation, ratio }) => (activation.startsWith('dynamic') ? [ratio.value] : []));
  const plain = (one: Activated): number[] =>
    one.rows.flatMap(({ activation, ratio }) =>
      activation.startsWith('dynamic') || activation === RELU ? [] : [ratio.value],
    );
  const dynamicFirst = compared.filter(
    (one) => dynamic(one).length > 0 && plain(one).length > 0 && Math.min(...dynamic(one)) > Math.max(...plain(one)),
  );
  const most = Math.max(...compared.flatMap(dynamic));
  return [
    cheapest.length === compared.length
      ? '- **Agrees**: nothing is faster than ReLU, on any runtime here.'
      : `- **ReLU is the fastest** on ${cheapest.length} of ${countText(compared.length, 'runtime')} only${cheapest.length ? `: ${titles(cheapest)}` : ''}.`,
    ...(Number.isFinite(most)
      ? [
          dynamicFirst.length > 0
            ? `- **Agrees on ${dynamicFirst.length} of ${countText(compared.length, 'runtime')}**: the dynamic activations are the dearest of all (${titles(dynamicFirst)}).`
            : '- **Does not agree**: on no runtime here are the dynamic activations the dearest of all; some plain ones cost more.',
          `- **${most < 10 ? 'Does not agree' : 'Agrees in part'}**: how dear the dynamic ones are. Here they take at most ${times(most)} times as long as ReLU; in the paper 37 to 179 times.`,
        ]
      : []),
  ];
}

function sectionsOf(compared: readonly Activated[]): Section[] {
  return [
    {
      title: "Ratios to ReLU beside the paper's Table 2",
      text: `How many times as long the network takes as with ReLU; rounds alternate, and intervals are of the ratio, by Student's t over the rounds.\n\n${compared.map(sideText).join('\n')}`,
      shows: [
        ...compared.filter(({ rows }) => rows.length > 1).map(({ side }) => `ratio-${side.key}`),
        'activations',
        'latencies',
      ],
    },
    {
      title: 'What agrees, what does not, and why',
      text: [
        verdicts(compared).join('\n'),
        'A dynamic activation is 15 to 19 operations in the graph instead of one. It averages every channel over the image, which must be done before anything else may go on (the synchronization that the paper blames), passes a small vector through two layers, and goes over all values several times: two multiplications, two additions, a maximum; Dynamic Shift-Max also copies them in another order. The table counts the bytes.',
        "On a CPU, where all of this runs in one place, that is what it costs: memory traffic and small layers, a fraction of the network. Ratios of 37 to 179 can't be explained by traffic. The paper measured in Core ML, which gives a graph to the neural engine as far as that has its operations; the likely reason is that with the dynamic ones it has not, so that every activation hands its values to another processor and back. That was not observed here, and can't be without such a phone: read the paper's ratios as those of an accelerator with its software, ours as those of a CPU.",
      ].join('\n\n'),
    },
    {
      title: 'The network',
      text: 'Thirty convolutions, each with the activation behind it, as a MobileOne without branches: a dense 3×3 stem, fourteen pairs of a depthwise 3×3 and a pointwise convolution in stages of 2, 5, 6 and 1, and a last pointwise one; 64 channels behind the stem, doubled from stage to stage up to 1024; 709 million multiply-adds at 224 px, near MobileOne-S1. Every activation is built from ordinary operations as its paper defines it (`src/models/zoo/activations.ts`).',
    },
  ];
}
