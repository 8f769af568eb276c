/** Stored rows → docs/performance.md and its figure. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { drawFigure } from '../src/report/draw.ts';
import { BUDGETS } from './budgets.ts';
import { growthFigure } from './growth-figure.ts';
import type { Row } from './spec.ts';

const TITLES: Readonly<Record<string, string>> = {
  train: 'Training step',
  infer: 'Inference',
  browser: 'Inference in Chromium, all on one page, one thread',
  'cold start': 'Cold start of an inference: opening the runtime, compiling, and the first run',
  memory: 'Peak memory of the process, training step',
  'scale: train': 'Branches and threads, training step, ours in turn with ours',
  'scale: infer': 'Threads, inference, ours in turn with ours',
  limit: 'Inference against the limit of the machine',
  kernels: 'Kernels, one thread',
  loader: 'Loader',
  start: 'Start of the command line',
};

const table = (header: readonly string[], rows: readonly (readonly string[])[]): string =>
  [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const shown = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : String(Number(value.toPrecision(3)));

/** The newest row of each subject and peer. */
export function newest(rows: readonly Row[]): Row[] {
  const byKey = new Map<string, Row>();
  for (const row of rows)
    byKey.set([row.bench, row.subject, row.peer.replace(/ \d.*/, ''), flagged(row), row.node].join('|'), row);
  return [...byKey.values()];
}

const flagged = ({ peer }: Row): boolean => peer.includes('--experimental');

/** The table of budgets for one version of Node. */
export function budgetTable(rows: readonly Row[]): string {
  const widths = ['128 bit', '256 bit'].filter((width) => rows.some(({ subject }) => subject.endsWith(width)));
  const lines = BUDGETS.flatMap(({ what, bound, measure, met, unit, once }) =>
    (once ? [''] : widths).map((width) => {
      const value = measure(rows, width);
      const verdict = value === undefined ? 'not measured' : met(value, width) ? 'met' : '**missed**';
      return [what, width, bound, value === undefined ? '–' : `${value.toFixed(value < 10 ? 2 : 0)}${unit}`, verdict];
    }),
  );
  return table(['what', 'vectors', 'bound', 'measured', ''], lines);
}

function benchTable(rows: readonly Row[]): string {
  return table(
    ['what', 'ours', 'spread', 'the other side', '', 'ratio', 'difference of outputs'],
    rows.map(({ subject, value, unit, spread, peer, peerValue, ratio, difference }) => [
      subject,
      `${shown(value)} ${unit}`,
      spread ? `${shown(spread[0])}–${shown(spread[1])}` : '',
      peer || '–',
      shown(peerValue),
      ratio === null ? '–' : `**${shown(ratio)}**`,
      difference === undefined ? '' : difference.toExponential(0),
    ]),
  );
}

function growthTable(rows: readonly Row[]): string {
  return table(
    ['grows', 'at', 'subject', 'ours, ms/image', 'PyTorch, ms/image', 'ratio'],
    rows.map(({ bench, at, subject, value, peerValue, ratio }) => [
      bench.replace('growth: ', ''),
      String(at),
      subject,
      shown(value),
      shown(peerValue),
      shown(ratio),
    ]),
  );
}

/** The whole page. */
export function performancePage(all: readonly Row[]): string {
  const rows = newest(all);
  const nodes = [...new Set(rows.map(({ node }) => node))].toSorted((a, b) =>
    b.localeCompare(a, 'en', { numeric: true }),
  );
  const { machine } = rows[0]!;
  const parts = [
    '# Performance',
    '',
    `Written by \`npm run bench -- report docs/results/*.jsonl\` from figures that \`npm run bench -- all --out FILE\` and \`npm run bench -- growth --out FILE\` measured on ${machine}. A ratio above 1 means that we are better. Every side ran in a process of its own, in turn with the others; figures are medians, spreads are those of the rounds. "256 bit": V8's revectorizer, on Node 24 and later, with the same flag on wasm rivals.`,
    '',
  ];
  for (const node of nodes) {
    const ofNode = rows.filter((row) => row.node === node);
    const commits = [...new Set(ofNode.map(({ commit }) => commit))].join(', ');
    parts.push(
      `## Node ${node.slice(1)}`,
      '',
      `Commit ${commits}, ${ofNode.at(-1)!.date}.`,
      '',
      '### Budgets',
      '',
      budgetTable(ofNode),
      '',
    );
    for (const [bench, title] of Object.entries(TITLES)) {
      const ofBench = ofNode.filter((row) => row.bench === bench);
      if (ofBench.length)
        parts.push(
          `### ${title}`,
          '',
          `\`npm run bench -- ${bench.replace('cold start', 'infer').replace(/:.*/, '')}\``,
          '',
          benchTable(ofBench),
          '',
        );
    }
    const growth = ofNode.filter(({ bench }) => bench.startsWith('growth'));
    if (growth.length)
      parts.push(
        '### Growth of the cost of a training step',
        '',
        '`npm run bench -- growth`',
        '',
        `![Milliseconds an image](figures/growth-${node}.svg)`,
        '',
        growthTable(growth),
        '',
      );
  }
  return `${parts.join('\n').trimEnd()}\n`;
}

/** Reads stored rows and writes the page and its figures; returns what was written. */
export async function writeReport(files: readonly string[]): Promise<string> {
  if (files.length === 0) return 'usage: npm run bench -- report docs/results/*.jsonl';
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const rows = texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Row),
  );
  await writeFile('docs/performance.md', performancePage(rows));
  await mkdir('docs/figures', { recursive: true });
  const written = ['docs/performance.md'];
  for (const node of new Set(rows.map((row) => row.node))) {
    const growth = newest(rows).filter((row) => row.node === node && row.bench.startsWith('growth'));
    if (growth.length === 0) continue;
    await writeFile(`docs/figures/growth-${node}.svg`, await drawFigure(growthFigure(growth)));
    written.push(`docs/figures/growth-${node}.svg`);
  }
  return `wrote ${written.join(', ')}`;
}
