/** What a run folder says of its run, without reading weights: how far it is, how good, and how it stands. */
import { existsSync, readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { loadCheckpointMeta } from '../checkpoint/store-node.ts';
import { UserError } from '../core/errors.ts';
import type { EpochMetrics, RunEvent } from '../core/events.ts';
import { isRunFolder, type RunMeta, runFiles } from './run-folder.ts';

/** `stopped`: it was ended from outside, and nothing says why. */
export type RunState = 'finished' | 'interrupted' | 'running' | 'diverged' | 'failed' | 'stopped';

export interface RunSummary {
  readonly name: string;
  readonly folder: string;
  /** When it began, as an ISO date; undefined for a run without events. */
  readonly started: string | undefined;
  readonly state: RunState;
  /** Undefined for an architecture of its own. */
  readonly variant: string | undefined;
  /** Folder of the images. */
  readonly data: string | undefined;
  readonly classes: number | undefined;
  readonly trainImages: number | undefined;
  readonly epochsDone: number;
  readonly epochs: number | undefined;
  /** What tells how good it is: mean average precision where images may have several labels, else top-1. */
  readonly metric: 'top1' | 'map';
  /** The best epoch and its score in percent. */
  readonly best: { readonly epoch: number; readonly score: number } | undefined;
  /** Seconds trained, interruptions left out. */
  readonly seconds: number;
  readonly metrics: readonly EpochMetrics[];
  readonly recipe: Readonly<Record<string, unknown>>;
}

type Recorded = RunEvent & { readonly time?: string; readonly pid?: number; readonly host?: string };

/** Lines of events.jsonl; a line that was cut off is left out. */
function eventsIn(path: string): Recorded[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return line === '' ? [] : [JSON.parse(line) as Recorded];
      } catch {
        return [];
      }
    });
}

/** Reads a run folder. Throws a UserError where there is none. */
export async function summarizeRun(folder: string): Promise<RunSummary> {
  if (!existsSync(folder) || !isRunFolder(folder))
    throw new UserError(
      `${folder} is not a run.`,
      'A run folder is what mobileone train makes; mobileone runs lists those in runs/.',
    );
  const files = runFiles(folder);
  const events = eventsIn(files.events);
  const meta = (await loadCheckpointMeta(files.last)) as RunMeta | undefined;
  const start = events.findLast(({ type }) => type === 'start') as Extract<Recorded, { type: 'start' }> | undefined;
  const recipe = (meta?.recipe ?? {}) as Readonly<Record<string, unknown>>;
  return {
    name: basename(folder),
    folder,
    started: events[0]?.time,
    state: stateOf(events),
    variant: meta?.variant,
    data: meta?.data,
    classes: meta?.classes.length ?? start?.classes.length,
    trainImages: start?.trainImages,
    epochsDone: meta?.metrics.length ?? 0,
    epochs: (recipe.epochs as number | undefined) ?? start?.epochs,
    metric: meta?.multiLabel ? 'map' : 'top1',
    best: meta?.best && { epoch: meta.best.epoch, score: meta.best.valTop1 },
    seconds: meta?.seconds ?? 0,
    metrics: meta?.metrics ?? [],
    recipe,
  };
}

/** How a run stands after its events; whether it still runs, its process tells. */
function stateOf(events: readonly Recorded[]): RunState {
  const began = events.findLastIndex(({ type }) => type === 'start');
  for (const event of events.slice(began + 1).reverse()) {
    if (event.type === 'end') return 'finished';
    if (event.type === 'interrupted') return 'interrupted';
    if (event.type === 'failed') return event.diverged ? 'diverged' : 'failed';
  }
  const start = events[began];
  return start && isAlive(start, events.at(-1)?.time) ? 'running' : 'stopped';
}

/** A run of another machine counts as running while it has told something within these minutes. */
const SILENT_MINUTES = 15;

function isAlive({ pid, host }: Recorded, last: string | undefined): boolean {
  if (pid === undefined || host !== hostname())
    return last !== undefined && Date.now() - Date.parse(last) < SILENT_MINUTES * 60_000;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Every run in a folder, the latest first. Throws a UserError when there is no such folder. */
export async function summarizeRuns(dir: string): Promise<RunSummary[]> {
  if (!existsSync(dir))
    throw new UserError(
      `There is no folder ${dir}.`,
      'Train first (mobileone train DIR), or name the folder of your runs.',
    );
  const entries = await readdir(dir, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(dir, name));
  const runs = await Promise.all(folders.filter(isRunFolder).map(summarizeRun));
  const when = ({ started }: RunSummary): number => (started === undefined ? 0 : Date.parse(started));
  return runs.toSorted((a, b) => when(b) - when(a) || a.name.localeCompare(b.name));
}
