/** The folder of a run: its files, and how events get into them. */
import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, existsSync, fstatSync, openSync, readSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { saveCheckpoint, writeAtomic } from '../checkpoint/store-node.ts';
import type { CheckpointMeta } from '../checkpoint/training-state.ts';
import { UserError } from '../core/errors.ts';
import type { EpochMetrics, RunEvent } from '../core/events.ts';
import { makeFolder } from '../core/folder-node.ts';
import type { StateDict } from '../core/tensor.ts';
import { type Sample, sampleName } from '../data/dataset.ts';
import type { RunningMean } from '../evaluate/metrics.ts';
import type { Position } from '../train/loop.ts';
import { thinSteps } from './progress.ts';

export interface RunFiles {
  readonly folder: string;
  readonly recipe: string;
  readonly events: string;
  readonly metrics: string;
  /** Folder of the event files for TensorBoard. */
  readonly tensorboard: string;
  readonly last: string;
  readonly best: string;
  /** The final weights: averaged, statistics recalibrated, train form. */
  readonly model: string;
  readonly fused: string;
  readonly proof: string;
  /** What `export` measured: a proof for each file, and latency. */
  readonly exports: string;
  readonly report: string;
}

/** Paths of a run's files. */
export function runFiles(folder: string): RunFiles {
  const at = (...names: string[]): string => join(folder, ...names);
  return {
    folder,
    recipe: at('recipe.yaml'),
    events: at('events.jsonl'),
    metrics: at('metrics.csv'),
    tensorboard: at('tensorboard'),
    last: at('checkpoints', 'last.safetensors'),
    best: at('checkpoints', 'best.safetensors'),
    model: at('model.safetensors'),
    fused: at('fused.safetensors'),
    proof: at('proof.json'),
    exports: at('export.json'),
    report: at('report.html'),
  };
}

/** True for a folder that holds a run. */
export function isRunFolder(folder: string): boolean {
  return existsSync(join(folder, 'checkpoints')) || existsSync(join(folder, 'recipe.yaml'));
}

/** Makes the folder of a run and writes its recipe; what a run told that stopped before its first checkpoint goes. */
export async function makeRunFolder(files: RunFiles, recipeYaml: string): Promise<void> {
  try {
    for (const path of [files.events, files.tensorboard]) await rm(path, { recursive: true, force: true });
    await makeFolder(dirname(files.last));
  } catch (error) {
    throw new UserError(
      `The folder ${files.folder} can't be made: ${(error as Error).message}.`,
      'Name another --out.',
    );
  }
  await writeAtomic(files.recipe, recipeYaml);
}

/** What a checkpoint of a run says beyond what any checkpoint says. */
export interface RunMeta extends CheckpointMeta {
  /** Folder or file of the images. */
  readonly data: string;
  /** What names the validation images, if they are named apart. */
  readonly val?: string;
  /** The list of images that are left out. */
  readonly exclude?: string;
  /** Fingerprint of the training samples, in order. */
  readonly samples: string;
  /** Training images that could be read. */
  readonly images?: number;
  /** Threads of the engine, on which the last bits depend. */
  readonly threads: number;
  readonly loss: RunningMean;
  readonly top1: RunningMean;
  readonly commandLine: string;
}

/** Fingerprint of samples: which files of the folder, in which order, with which labels. */
export function fingerprint(samples: readonly Sample[], folder: string): string {
  const hash = createHash('sha256');
  for (const { path, part, source = path, label, labels = [label] } of samples) {
    const name = sampleName({ path: relative(folder, source).replaceAll('\\', '/'), ...(part ? { part } : {}) });
    hash.update(`${name}\t${labels.join()}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Writes `last`, and metrics.csv to match it. */
export async function savePosition(
  files: RunFiles,
  meta: Omit<RunMeta, keyof Position>,
  state: StateDict,
  position: Position,
): Promise<string> {
  const all: RunMeta = { ...(meta as RunMeta), ...position };
  await saveCheckpoint(files.last, { meta: all, state });
  await saveMetrics(files, position.metrics);
  return files.last;
}

/** Writes metrics.csv. A run that goes on does so first: it may have been killed after its checkpoint, before this. */
export async function saveMetrics(files: RunFiles, metrics: readonly EpochMetrics[]): Promise<void> {
  await writeAtomic(files.metrics, metricsCsv(metrics));
}

const COLUMNS = [
  ...['epoch', 'trainLoss', 'trainTop1', 'valLoss', 'valTop1', 'valTop5'],
  ...['lr', 'weightDecay', 'imagesPerSecond', 'seconds'],
] as readonly (keyof EpochMetrics)[];

/** Metrics of the epochs as CSV with a header. */
export function metricsCsv(metrics: readonly EpochMetrics[]): string {
  const several = metrics.some(({ valMap }) => valMap !== undefined);
  const columns = several ? [...COLUMNS, 'valMap' as const] : COLUMNS;
  return [columns.join(','), ...metrics.map((row) => columns.map((name) => row[name]).join(',')), ''].join('\n');
}

/** Makes the function that appends events to events.jsonl; of steps at most one a second. A start says who trains. */
export function recordEvents(files: RunFiles): (event: RunEvent) => void {
  const keep = thinSteps();
  let start = endsInsideLine(files.events) ? '\n' : '';
  return (event) => {
    if (!keep(event)) return;
    const who = event.type === 'start' ? { pid: process.pid, host: hostname() } : {};
    appendOrSay(files.events, `${start}${JSON.stringify({ time: new Date().toISOString(), ...event, ...who })}\n`);
    start = '';
  };
}

/** Appends to a file of a run; a full disk is a UserError. */
export function appendOrSay(path: string, data: string | Uint8Array): void {
  try {
    appendFileSync(path, data);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOSPC' ? 'the disk is full' : message;
    throw new UserError(`${path} could not be written: ${why}.`, 'Free some space.');
  }
}

/** True when a killed process left half a line at the end. */
function endsInsideLine(path: string): boolean {
  if (!existsSync(path)) return false;
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const last = new Uint8Array(1);
    return size > 0 && readSync(file, last, 0, 1, size - 1) === 1 && last[0] !== 10;
  } finally {
    closeSync(file);
  }
}
