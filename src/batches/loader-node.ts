/**
 * Batches of a data set. Sample i of epoch e draws from random(seed, e, i), and the order of epoch e from
 * random(seed, e), and the mix of a batch from random(seed, e, step, "mix"), so any number of threads gives the same batches.
 */

import { UserError } from '../core/errors.ts';
import { hashText, random } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';
import { type Dataset, placeOf } from '../data/dataset.ts';
import type { Augment } from '../images/augment/augment.ts';
import { drawMix, type Mix, type MixOptions } from '../images/augment/mix.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { type Geometry, openCache, type SkippedImage } from './cache-node.ts';
import { epochOrder, type Sampler } from './order.ts';
import { openPool, type Pool } from './pool-node.ts';

export interface LoaderOptions {
  readonly dataset: Dataset;
  readonly batchSize: number;
  /** Pixels of the square images; in training the largest, for which decoded images are kept. */
  readonly size: number;
  /** Shuffled, augmented, last partial batch dropped; else in order, last batch padded by repetition. */
  readonly train: boolean;
  readonly augment: Augment;
  /** Mixes the images of each training batch with one another. */
  readonly mix?: MixOptions | undefined;
  /** Size (at most `size`) and strength of augmentation in an epoch of training; default: `size` and 1. */
  readonly phaseOf?: ((epoch: number) => { readonly size: number; readonly strength: number }) | undefined;
  readonly seed: number;
  /** How training orders the samples of an epoch; default `shuffle`. */
  readonly sampler?: Sampler | undefined;
  /** Loader threads; 0 loads in the calling thread. */
  readonly workers: number;
  readonly preprocessing: Preprocessing;
  /** Folder for decoded images; default: the system's cache folder. */
  readonly cacheDir?: string | undefined;
  /** Overrides dropping (training) or padding (evaluation) the last batch. */
  readonly dropLast?: boolean | undefined;
  /** Told of every image that cannot be read; such images are left out. */
  readonly onSkip?: ((skipped: SkippedImage) => void) | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** An unreadable image ends the run instead. */
  readonly strict?: boolean | undefined;
}

export interface Batch {
  /** uint8 [N, size, size, channels]; RGB where these are 3. */
  readonly images: Tensor;
  readonly labels: Int32Array;
  /** All labels of each sample, where samples may have several. */
  readonly labelSets?: readonly (readonly number[])[] | undefined;
  /** Indices into the data set's samples. */
  readonly indices: Int32Array;
  /** Real samples; the rest of the batch repeats them. */
  readonly count: number;
  /** How the images are mixed; their labels are their own. */
  readonly mix?: Mix | undefined;
}

export interface Loader {
  readonly stepsPerEpoch: number;
  /** Readable images. */
  readonly images: number;
  epoch(epoch: number, fromStep?: number): AsyncIterable<Batch>;
  readonly skipped: readonly SkippedImage[];
  close(): Promise<void>;
}

/** Batches made ahead of the one in use. */
const PREFETCH = 3;

const MIX = hashText('mix');

/** Images for training keep enough pixels for the smallest crop to fill the input. */
function geometryOf({ train, size, augment, preprocessing }: LoaderOptions): Geometry {
  const channels = preprocessing.mean.length;
  if (!train) return { size, cropPct: preprocessing.cropPct, channels };
  return { shortSide: Math.ceil(size / Math.sqrt(augment.cropScale[0])), channels };
}

/** Opens a loader: decodes every image once (into a cache on disk), then gives batches. */
export async function createLoader(options: LoaderOptions): Promise<Loader> {
  const { dataset, batchSize, size, train, seed, workers, onSkip, onWarning, onProgress } = options;
  const { samples } = dataset;
  const geometry = geometryOf(options);
  const parallel = Math.max(2, 2 * workers);
  const index = await openCache({ samples, geometry, folder: options.cacheDir, parallel, onProgress, onWarning });
  if (options.strict && index.skipped.length) {
    throw new UserError(
      index.skipped[0]!.reason,
      'Mend or remove the file, or leave out --strict to skip such images.',
    );
  }
  for (const skipped of index.skipped) onSkip?.(skipped);
  const good = Int32Array.from(samples.keys()).filter((i) => index.entries[i]![1] > 0);
  if (good.length === 0) throw new UserError('None of the images can be read.', 'See the reasons above.');
  const dropLast = options.dropLast ?? train;
  const stepsPerEpoch = dropLast ? Math.floor(good.length / batchSize) : Math.ceil(good.length / batchSize);
  if (stepsPerEpoch === 0) {
    throw new UserError(
      `There are ${good.length} images, fewer than one batch of ${batchSize}.`,
      `Use a smaller batch: --batch-size ${good.length}.`,
    );
  }
  const pool = openPool(
    {
      index,
      samples: samples.map(placeOf),
      geometry,
      options: { seed, augment: train ? options.augment : undefined },
    },
    workers,
  );

  const goodLabels = good.map((i) => samples[i]!.label);
  const order = (epoch: number): Int32Array =>
    train ? epochOrder(goodLabels, options.sampler ?? 'shuffle', seed, epoch).map((i) => good[i]!) : good;
  return {
    stepsPerEpoch,
    images: good.length,
    skipped: index.skipped,
    epoch: (epoch, fromStep = 0) =>
      batches(pool, dataset, order(epoch), {
        epoch,
        fromStep,
        stepsPerEpoch,
        batchSize,
        channels: geometry.channels,
        mix: train ? options.mix : undefined,
        seed,
        ...((train && options.phaseOf?.(epoch)) || { size, strength: 1 }),
      }),
    close: () => pool.close(),
  };
}

interface EpochRange {
  readonly epoch: number;
  readonly fromStep: number;
  readonly stepsPerEpoch: number;
  readonly batchSize: number;
  readonly size: number;
  readonly channels: number;
  readonly strength: number;
  readonly mix: MixOptions | undefined;
  readonly seed: number;
}

async function* batches(pool: Pool, dataset: Dataset, order: Int32Array, range: EpochRange): AsyncGenerator<Batch> {
  const { epoch, stepsPerEpoch, batchSize, size, channels, strength } = range;
  const start = (step: number): Promise<Batch> => {
    const first = step * batchSize;
    const count = Math.min(batchSize, order.length - first);
    const indices = Int32Array.from({ length: batchSize }, (_, n) => order[first + (n % count)]!);
    const data = new Uint8Array(new SharedArrayBuffer(batchSize * size * size * channels));
    const labels = indices.map((i) => dataset.samples[i]!.label);
    const images = { shape: [batchSize, size, size, channels], data };
    const sets = dataset.multiLabel && Array.from(indices, (i) => dataset.samples[i]!.labels ?? []);
    const several = sets ? { labelSets: sets } : {};
    const mix = range.mix && drawMix(range.mix, batchSize, size, random(range.seed, epoch, step, MIX));
    const request = { epoch, size, indices, strength, mix, out: data };
    const ready = pool.fill(request).then(() => ({ images, labels, indices, count, mix, ...several }));
    ready.catch(() => {}); // a failure is met when the batch is awaited, not before
    return ready;
  };
  const ahead: Promise<Batch>[] = [];
  for (let step = range.fromStep; step < stepsPerEpoch; step++) {
    while (ahead.length < PREFETCH && step + ahead.length < stepsPerEpoch) ahead.push(start(step + ahead.length));
    yield await ahead.shift()!;
  }
}
