/** The task's pictures as the network sees them, and how well logits name them. */
import { readFile } from 'node:fs/promises';
import {
  DEFAULT_PREPROCESSING,
  evalImage,
  type Preprocessing,
  type Recipe,
  type SplitDataset,
  type Tensor,
} from '../../src/node.ts';
import type { Pictures } from './nearest.ts';

export interface Task {
  readonly classes: readonly string[];
  readonly preprocessing: Preprocessing;
  /** Training pictures without augmentation. */
  readonly known: Pictures;
  /** The same in batches of uint8 `[100, S, S, 3]`. */
  readonly knownBatches: readonly Tensor[];
  readonly unseen: Pictures;
  /** The unseen pictures as one batch, and their labels. */
  readonly test: Tensor;
  readonly labels: Int32Array;
  /** PNG of an unseen picture. */
  readonly png: (index: number) => Promise<Uint8Array>;
}

const BATCH = 100;

/** Reads all pictures as evaluation does. */
export async function loadPictures(data: SplitDataset, recipe: Recipe): Promise<Task> {
  const preprocessing = { ...DEFAULT_PREPROCESSING, size: recipe.size, cropPct: recipe.crop_pct };
  const read = async ({ samples }: SplitDataset['train']): Promise<Pictures> => ({
    rows: await Promise.all(samples.map(({ path }) => evalImage(path, preprocessing))),
    labels: samples.map(({ label }) => label),
  });
  const [known, unseen] = [await read(data.train), await read(data.val)];
  const batches = Array.from({ length: Math.floor(known.rows.length / BATCH) }, (_, i) =>
    stack(known.rows.slice(i * BATCH, (i + 1) * BATCH), recipe.size),
  );
  return {
    classes: data.train.classes,
    preprocessing,
    known,
    knownBatches: batches,
    unseen,
    test: stack(unseen.rows, recipe.size),
    labels: Int32Array.from(unseen.labels),
    png: async (index) => new Uint8Array(await readFile(data.val.samples[index]!.path)),
  };
}

/** Pictures of S × S × 3 bytes as one tensor `[N, S, S, 3]`. */
function stack(rows: readonly Uint8Array[], size: number): Tensor {
  const data = new Uint8Array(rows.length * size * size * 3);
  for (const [i, row] of rows.entries()) data.set(row, i * row.length);
  return { shape: [rows.length, size, size, 3], data };
}

/** Top-1 and top-5 accuracy in percent of logits `[N, classes]`. */
export function scoreOf({ shape, data }: Tensor, labels: ArrayLike<number>): { top1: number; top5: number } {
  const [count, classes] = shape as [number, number];
  const ranks = Array.from({ length: count }, (_, n) => {
    const row = data.subarray(n * classes, (n + 1) * classes);
    return row.filter((value) => value > row[labels[n]!]!).length;
  });
  const percent = (limit: number): number => (100 * ranks.filter((rank) => rank < limit).length) / count;
  return { top1: percent(1), top5: percent(5) };
}
