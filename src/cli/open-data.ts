/** Folders of images as loaders. */
import { availableParallelism } from 'node:os';
import { createLoader, type Loader } from '../batches/loader-node.ts';
import { UserError } from '../core/errors.ts';
import { hashText, permutation, random } from '../core/random.ts';
import type { Dataset, SplitDataset } from '../data/dataset.ts';
import type { MixOptions } from '../images/augment/mix.ts';
import type { Augment } from '../images/augment/options.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { phaseAt } from '../recipe/curriculum.ts';
import { autoAugmentOf, type Recipe } from '../recipe/recipe.ts';

/** What a loader tells while it opens. */
export interface LoaderHooks {
  readonly onSkip: (skipped: { readonly path: string; readonly reason: string }) => void;
  readonly onWarning: (message: string) => void;
  readonly onProgress: (done: number, total: number) => void;
  /** An unreadable image ends the command instead of being skipped. */
  readonly strict?: boolean | undefined;
}

export interface RunLoaders {
  readonly train: Loader;
  readonly val: Loader;
  readonly calibration: Loader;
  readonly evalBatch: number;
  readonly calibrationBatch: number;
  close(): Promise<void>;
}

/** Loader threads when they are left open: half the cores, at most 8. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(8, Math.floor(availableParallelism() / 2)));
}

/**
 * Samples for recalibration: the same ones each time, in a random order, since a batch of one class has other statistics
 * than a batch of all.
 */
export function pickSamples(dataset: Dataset, count: number, seed: number): Dataset {
  const { samples } = dataset;
  const order = permutation(samples.length, random(seed, hashText('recalibrate')));
  return { ...dataset, samples: Array.from(order.subarray(0, count), (i) => samples[i]!) };
}

/** Throws a UserError when there are fewer training images than a batch, or no validation images. */
export function requireImages(data: SplitDataset, recipe: Recipe): void {
  const images = data.train.samples.length;
  if (images < recipe.batch_size)
    throw new UserError(
      `There are ${images} training images, fewer than one batch of ${recipe.batch_size}.`,
      `Add images, or train with --batch-size ${Math.max(2, 2 ** Math.floor(Math.log2(images / 2)))}.`,
    );
  if (data.val.samples.length === 0)
    throw new UserError('There are no validation images.', 'Add images, so that each class has at least two.');
}

/** Opens the three loaders of a run, whose data has enough images (`requireImages`). */
export async function openLoaders(
  data: SplitDataset,
  recipe: Recipe,
  preprocessing: Preprocessing,
  hooks: LoaderHooks,
): Promise<RunLoaders> {
  const common = {
    size: recipe.size,
    seed: recipe.seed,
    workers: recipe.workers ?? defaultWorkers(),
    preprocessing,
    ...hooks,
  };
  const calibrationData = pickSamples(data.train, recipe.recalibrate_images, recipe.seed);
  const evalBatch = Math.min(recipe.batch_size, data.val.samples.length);
  const calibrationBatch = Math.min(recipe.batch_size, Math.max(1, calibrationData.samples.length));
  const opened: Loader[] = [];
  const open = async (dataset: Dataset, batchSize: number, train: boolean): Promise<Loader> => {
    const options = {
      ...common,
      dataset,
      batchSize,
      train,
      dropLast: train,
      sampler: recipe.sampler,
      augment: augmentOf(recipe, preprocessing),
      mix: mixOf(recipe),
      phaseOf: (epoch: number) => phaseAt(recipe, epoch),
    };
    const loader = await createLoader(options);
    opened.push(loader);
    return loader;
  };
  const close = async (): Promise<void> => {
    for (const loader of opened.splice(0)) await loader.close();
  };
  try {
    const train = await open(data.train, recipe.batch_size, true);
    const val = await open(data.val, evalBatch, false);
    const calibration = recipe.recalibrate_images > 0 ? await open(calibrationData, calibrationBatch, false) : val;
    return { train, val, calibration, evalBatch, calibrationBatch, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens a loader for evaluation. */
export async function openEvalLoader(
  dataset: Dataset,
  batchSize: number,
  preprocessing: Preprocessing,
  hooks: LoaderHooks,
): Promise<Loader> {
  return await createLoader({
    dataset,
    batchSize,
    size: preprocessing.size,
    train: false,
    augment: { cropScale: [1, 1], cropRatio: [1, 1], hflip: 0 },
    seed: 0,
    workers: defaultWorkers(),
    preprocessing,
    ...hooks,
  });
}

/** The recipe's augmentation as the loader takes it. */
export function augmentOf(recipe: Recipe, { mean, std }: Pick<Preprocessing, 'mean' | 'std'>): Augment {
  const { crop_scale_min, crop_ratio, hflip, rotate, translate, scale, brightness, contrast, saturation, hue } = recipe;
  const { reprob, remode, recount } = recipe;
  const affine = rotate > 0 || translate > 0 || scale > 0;
  const policy = autoAugmentOf(recipe);
  const jitter = brightness > 0 || contrast > 0 || saturation > 0 || hue > 0;
  return {
    cropScale: [crop_scale_min, 1],
    cropRatio: [1 / crop_ratio, crop_ratio],
    hflip,
    ...(affine ? { affine: { degrees: rotate, translate, scale: [1 - scale, 1 + scale] } } : {}),
    ...(policy === 'autoaugment' ? { auto: { policy } } : {}),
    ...(policy === 'randaugment'
      ? { auto: { policy, ops: recipe.rand_augment_n, magnitude: recipe.rand_augment_m } }
      : {}),
    ...(jitter ? { colorJitter: { brightness, contrast, saturation, hue } } : {}),
    ...(reprob > 0 ? { erase: { probability: reprob, mode: remode, count: recount, mean, std } } : {}),
  };
}

/** How the recipe mixes batches. */
function mixOf({ mixup, cutmix, mixup_prob, mixup_switch_prob }: Recipe): MixOptions | undefined {
  return mixup > 0 || cutmix > 0 ? { mixup, cutmix, prob: mixup_prob, switchProb: mixup_switch_prob } : undefined;
}
