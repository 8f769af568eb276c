/** `npm run bench -- train|infer|memory|kernels|limit|loader|start|scale|growth|all|report …`: our figures with the rivals' beside them. */
import { appendFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { browserRows } from './browser.ts';
import { compare, ourselves, type Subject } from './compare.ts';
import { growthRows } from './growth.ts';
import { kernelRows, limitRows, loaderRows, startRows } from './others.ts';
import { writeReport } from './report.ts';
import { circumstances, pythonWithTorch, type Settings } from './run.ts';
import type { Row } from './spec.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    variant: { type: 'string', default: 's0' },
    k: { type: 'string' },
    batch: { type: 'string' },
    size: { type: 'string', default: '224' },
    threads: { type: 'string' },
    peer: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    node: { type: 'string', default: process.env.MOBILEONE_BENCH_NODE ?? process.execPath },
    data: { type: 'string', default: '../shared/data/clothing' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
});
const USAGE = `usage: npm run bench -- COMMAND [options]
  train | infer | memory   our side beside every peer: --variant s0 --k 4 --batch 16 --size 224 --threads 2 --peer NAME
  browser                  inference in Chromium: ours, onnxruntime-web, LiteRT.js on one page
  kernels | limit          GFLOPS against the peak of this machine; inference against the limit
  loader | start           images/s (--data DIR); wall time of mobileone --help
  scale                    ours against ours, in turn: k = 1, 2, 4, 5, and one thread against two
  growth                   k, image, batch, threads and variants (--quick: the ends only)
  all                      everything that docs/performance.md shows
  report RESULTS…          write docs/performance.md and its figure from stored results
  --node PATH (or MOBILEONE_BENCH_NODE): the Node that runs all sides; --rounds 3; --json; --out FILE appends the rows
  MOBILEONE_BENCH_PYTHON: a Python with torch and timm, for PyTorch's side`;

const settings: Settings = {
  node: values.node,
  python: pythonWithTorch(),
  rounds: values.quick ? 1 : Number(values.rounds),
};
const tell = (text: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
};
const common = circumstances(settings);

/** Prints rows as they come, and stores them if asked. */
function give(rows: readonly Row[]): Row[] {
  if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
  for (const one of rows) {
    if (values.out) appendFileSync(values.out, `${JSON.stringify(one)}\n`);
    if (values.json) console.log(JSON.stringify(one));
    else
      console.log(
        `${one.bench.padEnd(11)} ${one.subject}: ${one.value} ${one.unit}${one.peer ? `; ${one.peer}: ${one.peerValue} (ratio ${one.ratio})` : ''}`,
      );
  }
  return [...rows];
}

function subjectOf(task: 'train' | 'infer'): Subject {
  const batch = Number(values.batch ?? (task === 'train' ? 16 : 1));
  const threads = Number(values.threads ?? (task === 'train' ? 2 : 1));
  return {
    variant: values.variant,
    k: values.k ? Number(values.k) : undefined,
    batch,
    size: Number(values.size),
    threads,
  };
}

/** Timed runs of a side in a round. */
const runsOf = (task: 'train' | 'infer'): number =>
  task === 'infer' ? (values.quick ? 10 : 60) : values.quick ? 2 : 4;

async function compareRows(
  task: 'train' | 'infer',
  subject: Subject = subjectOf(task),
  peer = values.peer,
): Promise<Row[]> {
  return await compare({ task, subject, runs: runsOf(task), peer, settings, common, tell });
}

async function scaleRows(): Promise<Row[]> {
  const settingsOf = (task: 'train' | 'infer') => ({ task, runs: runsOf(task), settings, common, tell });
  const step = { variant: 's0', batch: 16, size: 224, threads: 2 };
  const steps = [...[1, 2, 4, 5].map((k) => ({ ...step, k })), { ...step, k: 4, threads: 1 }];
  const image = [1, 2].map((threads) => ({ variant: 's0', batch: 1, size: 224, threads }));
  return [...(await ourselves(settingsOf('train'), steps)), ...(await ourselves(settingsOf('infer'), image))];
}

async function inBrowser(subject: { variant: string; batch: number; size: number }): Promise<void> {
  const runs = values.quick ? 5 : 20;
  const { rows, notes } = await browserRows(subject, { rounds: settings.rounds, runs, common });
  give(rows);
  for (const note of notes) console.error(note);
}

const COMMANDS: Readonly<Record<string, () => Promise<void>>> = {
  train: async () => void give(await compareRows('train')),
  infer: async () => void give(await compareRows('infer')),
  browser: async () => void (await inBrowser(subjectOf('infer'))),
  memory: async () => void give((await compareRows('train')).filter(({ bench }) => bench === 'memory')),
  kernels: async () => void give(await kernelRows(settings, common)),
  limit: async () => void give(await limitRows(settings, common, await kernelRows(settings, common))),
  loader: async () => {
    if (give(await loaderRows(settings, common, values.data)).length === 0)
      console.log(
        `skipped: there is no folder ${values.data}; name one with one folder of images a class (--data DIR)`,
      );
  },
  start: async () => void give(await startRows(settings, common)),
  scale: async () => void give(await scaleRows()),
  growth: async () => void give(await growthRows(settings, common, { quick: values.quick, tell })),
  all: async () => {
    const step = { variant: 's0', batch: 16, size: 224, threads: 2 };
    const kernels = give(await kernelRows(settings, common));
    give(await limitRows(settings, common, kernels));
    for (const threads of [1, 2]) give(await compareRows('infer', { variant: 's0', batch: 1, size: 224, threads }));
    give(await compareRows('infer', { variant: 's1', batch: 1, size: 224, threads: 1 }));
    await inBrowser({ variant: 's0', batch: 1, size: 224 });
    give(await compareRows('train', step));
    give(await compareRows('train', { ...step, variant: 's1' }));
    give(await scaleRows());
    give(await compareRows('train', { variant: 's0', k: 1, batch: 4, size: 64, threads: 1 }, 'jax-js'));
    give(await loaderRows(settings, common, values.data));
    give(await startRows(settings, common));
  },
  report: async () => console.log(await writeReport(positionals.slice(1))),
};

const command = COMMANDS[positionals[0] ?? ''];
if (!command) {
  console.log(USAGE);
  process.exitCode = positionals[0] ? 2 : 0;
} else await command();
