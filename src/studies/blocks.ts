/** What skip connections and squeeze-and-excite cost (paper §3.1, Table 3): bytes that are moved, and waiting for one another. */
import { thirtyLayers } from '../models/zoo/thirty-layers.ts';
import {
  ADDITIONS,
  BASELINE,
  type Blocks,
  blocksOf,
  blockTable,
  costText,
  excessBars,
  excessOf,
  moreOf,
  nameOf,
  partStack,
  type Threaded,
  threadedOf,
  threadTable,
  VARIANTS,
} from './block-tables.ts';
import { wantedOf } from './candidates.ts';
import { type Estimate, sign } from './in-turn.ts';
import { refusalNotes } from './refusals.ts';
import { latencyTable, sidesHere } from './sides.ts';
import type { Candidate, Section, Study, StudyContext, StudyResult } from './study.ts';
import { digits, listText, msText } from './words.ts';

const NAMES: readonly string[] = [BASELINE, ...ADDITIONS.map(nameOf)];

export const blocks: Study = {
  name: 'blocks',
  title: 'What skip connections and squeeze-and-excite cost',
  question: 'Do skip connections cost memory accesses, and squeeze-and-excite synchronization? (paper §3.1, Table 3)',
  nets: () => NAMES,
  run,
};

function candidatesOf({ nets }: StudyContext): Candidate[] {
  const wanted = wantedOf(NAMES, nets);
  return [
    { name: BASELINE, build: () => thirtyLayers() },
    ...ADDITIONS.filter((addition) => wanted.includes(nameOf(addition))).map((addition) => ({
      name: nameOf(addition),
      build: () => thirtyLayers({ addition }),
    })),
  ];
}

async function run(context: StudyContext): Promise<StudyResult> {
  const candidates = candidatesOf(context);
  const measured = await context.measure(candidates);
  const sides = sidesHere(measured);
  const all = sides.flatMap((side) => blocksOf(side) ?? []).filter(({ rows }) => rows.length > 0);
  const table = latencyTable(sides, measured.refused);
  const latencies = {
    ...table,
    columns: table.columns.map((one) =>
      one.name === 'network' ? { ...one, meaning: 'the thirty layers with an addition' } : one,
    ),
  };
  const threaded = threadedOf(all);
  const notes = [
    "The numbers of the paper's Table 3 could not be recovered, and its thirty layers are not published; what it claims of them is tested on thirty layers of our own (`src/models/zoo/thirty-layers.ts`).",
    ...(threaded.length === 0
      ? [
          'How an addition fares with threads is not seen: only one number of threads was measured. `--threads 1,2` measures both.',
        ]
      : []),
    ...refusalNotes(measured.refused, candidates.length),
    ...measured.notes,
  ];
  if (all.length === 0)
    return {
      finding:
        'The network could not be measured with and without an addition on any runtime, so nothing can be compared.',
      sections: [],
      figures: [],
      tables: [latencies],
      notes,
    };
  return {
    finding: findingOf(all),
    sections: sectionsOf(all, threaded),
    figures: [...all.map(excessBars), ...(all.some(({ parts }) => parts) ? [partStack(all)] : [])],
    tables: [blockTable(all), ...(threaded.length > 0 ? [threadTable(threaded)] : []), latencies],
    notes,
  };
}

const signed = (value: number): string => msText(value).replace('-', '−');
const range = ({ value, interval: [low, high] }: Estimate): string =>
  `${signed(value)} ms (95 %: ${signed(low)} to ${signed(high)})`;

function findingOf(all: readonly Blocks[]): string {
  const [main] = all as [Blocks];
  const [skip, se] = (['skip', 'se'] as const).map((addition) => excessOf(main, addition));
  if (!skip || !se)
    return `Only some of the additions were measured on ${main.side.title}; the table has what each of them costs.`;
  const between = main.synchronization!;
  const first = `On ${main.side.title}, ten skip connections ${costText(skip, main.baseline)}, and ten squeeze-and-excites, which move nearly the same bytes, ${costText(se, main.baseline)}.`;
  const second =
    sign(between) === 0
      ? `What squeeze-and-excite takes beyond that, ${range(between)}, can not be told from nothing.`
      : sign(between) > 0
        ? `What squeeze-and-excite takes beyond a skip connection, ${range(between)}, is not memory access: it is the reduction, small layers${main.side.threads > 1 ? ', and threads that wait' : ' and more operations'}.`
        : `Squeeze-and-excite takes less than a skip connection here: ${range(between)}.`;
  return `${first} ${second}`;
}

function sideText(one: Blocks): string {
  const { side, synchronization } = one;
  const texts = one.rows.map(({ addition, excess }) => `${VARIANTS[addition].title} ${range(excess)}`);
  const rate = (addition: 'skip' | 'gate'): string[] => {
    const more = excessOf(one, addition);
    return more && sign(more) > 0
      ? [`at ${digits(moreOf(addition).bytes / 1e6 / more.value, 2)} GB/s by ${VARIANTS[addition].title}`]
      : [];
  };
  const rates = [...rate('skip'), ...rate('gate')];
  return [
    `- **${side.title}**: ${texts.join('; ')}.`,
    ...(rates.length > 0 ? [`Bytes were moved ${listText(rates)}.`] : []),
    ...(synchronization
      ? [`Squeeze-and-excite beyond a skip connection, which moves as many bytes: ${range(synchronization)}.`]
      : []),
  ].join(' ');
}

function verdicts(all: readonly Blocks[], threaded: readonly Threaded[]): string[] {
  const titles = (chosen: readonly Blocks[]): string =>
    chosen.length === all.length
      ? 'on every runtime measured'
      : chosen.length
        ? `on ${listText(chosen.map(({ side }) => side.title))} only`
        : 'not shown on any runtime measured';
  const costs = (addition: 'skip' | 'se'): Blocks[] =>
    all.filter((one) => sign(excessOf(one, addition) ?? NOTHING) > 0);
  const waits = all.filter(({ synchronization }) => synchronization && sign(synchronization) > 0);
  const se = threaded.filter(({ addition }) => addition === 'se');
  return [
    `- **Skip connections cost time, by bytes alone**: ${titles(costs('skip'))}.`,
    `- **Squeeze-and-excite costs time**: ${titles(costs('se'))}.`,
    `- **It costs more than its bytes**: ${titles(waits)}.`,
    ...se.map(({ runtime, threads, one, more, speedup, waiting }) => {
      const verdict =
        sign(waiting) > 0
          ? 'so it does not speed up as the network does: that part is waiting'
          : sign(waiting) < 0
            ? 'so it speeds up better than the network does'
            : 'which can not be told from speeding up as the network does';
      return `- **With ${threads} threads on ${runtime}** the network is ${speedup.toFixed(2)} times as fast, and squeeze-and-excite takes ${range(more)} instead of ${range(one)}, ${verdict}.`;
    }),
  ];
}

const NOTHING: Estimate = { value: 0, interval: [0, 0], inTurn: false };

function sectionsOf(all: readonly Blocks[], threaded: readonly Threaded[]): Section[] {
  const shapes = ADDITIONS.map((addition) => {
    const { bytes, operations } = moreOf(addition);
    return `- **${VARIANTS[addition].title}**: ${VARIANTS[addition].meaning}. ${(bytes / 1e6).toFixed(1)} MB and ${operations} operations more.`;
  });
  return [
    {
      title: 'How bytes and waiting are told apart',
      text: [
        'Each of the ten pairs of convolutions that keep channels and size gets an addition behind its last ReLU, so that every convolution keeps the ReLU that runtimes join to it. Bytes are counted from the graph, in float32:',
        shapes.join('\n'),
        'A skip connection and a squeeze-and-excite move nearly the same bytes: both read the image twice and write it once. What squeeze-and-excite takes beyond a skip connection is therefore not memory access. It is the reduction of an image to one number a channel, which must be done before the next step may begin, two layers on one vector, in which there is not enough work to share, and three more times that threads wait for one another. The last three variants add these steps one by one.',
      ].join('\n\n'),
    },
    {
      title: "The paper's claims",
      text: [
        `The paper says that skip connections cost memory accesses and squeeze-and-excite synchronization, and therefore has no branches at inference and squeeze-and-excite in its largest variant only.`,
        verdicts(all, threaded).join('\n'),
        all.map(sideText).join('\n'),
      ].join('\n\n'),
      shows: [
        ...all.map(({ side }) => `more-${side.key}`),
        ...(all.some(({ parts }) => parts) ? ['parts'] : []),
        'blocks',
      ],
    },
    ...(threaded.length > 0
      ? [
          {
            title: 'What threads do',
            text: 'A step that all threads share takes less time on more of them; one that a single thread does, while the others wait, does not, and every step ends in a wait for the slowest. What an addition takes on the threads beyond the time it would take if it were sped up as the rest of the network is, is the price of that. Numbers of threads are measured one after the other, not in turn; MobileOne-S0, measured beside both, tells how far the machine kept its pace.',
            shows: ['threads', 'latencies'],
          },
        ]
      : []),
  ];
}
