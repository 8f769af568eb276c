import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import pc from 'picocolors';
import { writeAtomic } from '../../checkpoint/store-node.ts';
import { UserError } from '../../core/errors.ts';
import { FIELD_NAMES } from '../../recipe/fields.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { durationText } from '../progress.ts';
import { type RunState, type RunSummary, summarizeRun, summarizeRuns } from '../run-summary.ts';
import { textTable } from '../text-table.ts';

const COLORS: Readonly<Record<RunState, (text: string) => string>> = {
  finished: pc.green,
  running: pc.cyan,
  interrupted: pc.yellow,
  stopped: pc.yellow,
  failed: pc.red,
  diverged: pc.red,
};

const percent = (value: number | undefined): string => (value === undefined ? '–' : `${value.toFixed(2)} %`);
const METRICS = { top1: 'top-1', map: 'mAP' } as const;
const lastScore = ({ metrics, metric }: RunSummary): number | undefined =>
  metric === 'map' ? metrics.at(-1)?.valMap : metrics.at(-1)?.valTop1;
/** What the column or row of scores is called. Where they are of two kinds, each says which. */
const scoreName = (runs: readonly RunSummary[]): string => {
  const [name = METRICS.top1, ...others] = new Set(runs.map(({ metric }) => METRICS[metric]));
  return others.length > 0 ? 'score' : name;
};
const scoreText = (runs: readonly RunSummary[], { metric }: RunSummary, score: number | undefined): string =>
  `${percent(score)}${score !== undefined && scoreName(runs) === 'score' ? ` ${METRICS[metric]}` : ''}`;
const progressText = ({ epochsDone, epochs }: RunSummary): string => `${epochsDone}/${epochs ?? '?'}`;
const dateText = (iso: string | undefined): string => (iso === undefined ? '–' : iso.slice(0, 16).replace('T', ' '));

/** `mobileone runs`: the runs of a folder, the latest first. */
export async function runsCommand(io: Io, dir: string, flags: { readonly json?: true | undefined }): Promise<number> {
  const runs = await summarizeRuns(dir);
  if (flags.json) {
    io.out(JSON.stringify(runs.map(({ metrics, recipe: _, ...run }) => ({ ...run, last: metrics.at(-1) ?? null }))));
    return EXIT.ok;
  }
  if (runs.length === 0) {
    io.out(`There are no runs in ${dir}.`);
    return EXIT.ok;
  }
  const rows = runs.map((run) => [
    run.name,
    dateText(run.started),
    run.variant ?? 'own',
    run.data === undefined ? '–' : basename(run.data),
    run.state,
    progressText(run),
    scoreText(runs, run, run.best?.score),
    durationText(run.seconds),
  ]);
  const [head, ...lines] = textTable(
    [['run', 'began (UTC)', 'variant', 'data', 'state', 'epochs', `best ${scoreName(runs)}`, 'time'], ...rows],
    5,
  );
  io.out(pc.dim(head!));
  for (const [i, line] of lines.entries()) {
    const { state } = runs[i]!;
    io.out(line.replace(` ${state} `, ` ${COLORS[state](state)} `));
  }
  return EXIT.ok;
}

export interface CompareFlags {
  readonly html?: string | undefined;
  readonly json?: true | undefined;
}

/** Results that are compared: name and text. `SCORE` is what `scoreName` says. */
const RESULTS: readonly (readonly [string, (run: RunSummary, runs: readonly RunSummary[]) => string])[] = [
  ['state', ({ state }) => state],
  ['data', ({ data }) => (data === undefined ? '–' : basename(data))],
  ['training images', ({ trainImages }) => String(trainImages ?? '–')],
  ['epochs', progressText],
  [
    'best SCORE',
    (run, runs) => (run.best ? `${scoreText(runs, run, run.best.score)} (epoch ${run.best.epoch + 1})` : '–'),
  ],
  ['last SCORE', (run, runs) => scoreText(runs, run, lastScore(run))],
  ['last loss', ({ metrics }) => metrics.at(-1)?.valLoss.toFixed(4) ?? '–'],
  ['training top-1', ({ metrics, metric }) => (metric === 'map' ? '–' : percent(metrics.at(-1)?.trainTop1))],
  ['training loss', ({ metrics }) => metrics.at(-1)?.trainLoss.toFixed(4) ?? '–'],
  ['images/s', ({ metrics }) => metrics.at(-1)?.imagesPerSecond.toFixed(0) ?? '–'],
  ['time', ({ seconds }) => durationText(seconds)],
];

const valueText = (value: unknown): string =>
  value === undefined ? '–' : value === null ? 'auto' : typeof value === 'string' ? value : JSON.stringify(value);

/** Fields of the recipes that are not the same in all runs. */
function differingFields(runs: readonly RunSummary[]): string[] {
  const names = [...new Set([...FIELD_NAMES, ...runs.flatMap(({ recipe }) => Object.keys(recipe))])];
  return names.filter((name) => new Set(runs.map(({ recipe }) => JSON.stringify(recipe[name]))).size > 1);
}

/** `mobileone runs compare`: where recipes differ, and results side by side. */
export async function compareCommand(io: Io, names: readonly string[], flags: CompareFlags): Promise<number> {
  if (names.length < 2) throw new UserError('One run alone has nothing to be compared with.', 'Name two or more.', 2);
  const folders = names.map((name) =>
    !existsSync(name) && existsSync(join('runs', name)) ? join('runs', name) : name,
  );
  const runs = await Promise.all(folders.map(summarizeRun));
  const fields = differingFields(runs);
  const titles = new Set(runs.map(({ name }) => name)).size === runs.length ? runs.map(({ name }) => name) : folders;
  const recipes = fields.map((field) => [field, ...runs.map(({ recipe }) => valueText(recipe[field]))]);
  const results = RESULTS.map(([name, text]) => [
    name.replace('SCORE', scoreName(runs)),
    ...runs.map((run) => text(run, runs)),
  ]);
  if (flags.html !== undefined) {
    const { renderComparison } = await import('../../report/compare.ts');
    const curves = runs.map(({ metrics }, i) => ({ name: titles[i]!, epochs: metrics }));
    await writeAtomic(flags.html, await renderComparison({ runs: curves, recipes, results }));
  }
  if (flags.json) {
    const differences = Object.fromEntries(
      fields.map((field) => [field, runs.map(({ recipe }) => recipe[field] ?? null)]),
    );
    io.out(JSON.stringify({ runs: runs.map(({ recipe: _, ...run }) => run), differences }));
    return EXIT.ok;
  }
  const head = ['', ...titles];
  const lines = textTable([head, ...results, ...(recipes.length > 0 ? [head] : []), ...recipes]);
  io.out(pc.dim(lines[0]!));
  for (const line of lines.slice(1, results.length + 1)) io.out(line);
  if (recipes.length === 0) io.out('\nTheir recipes are the same.');
  else io.out('\nwhere their recipes differ');
  for (const line of lines.slice(results.length + 2)) io.out(line);
  if (flags.html !== undefined) io.out(`\npage ${flags.html}`);
  return EXIT.ok;
}
