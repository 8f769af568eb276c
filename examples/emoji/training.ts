/** The recipe of the demo, and its run. */
import {
  createLoader,
  DEFAULT_PREPROCESSING,
  type Engine,
  type EpochMetrics,
  type Loader,
  type MobileOneConfig,
  type ModelFile,
  mobileOne,
  modelConfig,
  type Recipe,
  resolveRecipe,
  type SplitDataset,
  train,
  withPreprocess,
} from '../../src/node.ts';

/** Passes over the 600 training pictures between two evaluations: one "epoch" of the run. */
export const PASSES = 5;

/** The demo's recipe: a shallow MobileOne with k = 4, for pictures of 64 pixels. */
export function demoRecipe(quick: boolean): Recipe {
  return resolveRecipe({
    flags: {
      size: 64,
      depths: [1, 2, 3, 1],
      widths: [0.75, 0.75, 0.75, 1],
      num_conv_branches: 4,
      epochs: quick ? 9 : 20,
      batch_size: 50,
      lr: 0.2,
      warmup_epochs: 0.5,
      nesterov: true,
      weight_decay: 5e-4,
      weight_decay_end: 5e-5,
      ema_decay: 0.99,
      crop_scale_min: 0.85,
      crop_ratio: 1.1,
      hflip: 0,
      rotate: 10,
      translate: 0.05,
      scale: 0.1,
      brightness: 0.3,
      contrast: 0.3,
      saturation: 0.5,
      hue: 0.05,
      crop_pct: 0.9,
      recalibrate_images: 600,
    },
  }).recipe;
}

export interface DemoRun {
  /** Train form, with averaged weights. */
  readonly model: ModelFile;
  readonly epochs: readonly EpochMetrics[];
}

/** A source whose epoch is several passes of another's, so that evaluation does not cost more than training. */
function longEpochs(loader: Loader, passes: number): Pick<Loader, 'stepsPerEpoch' | 'epoch'> {
  return {
    stepsPerEpoch: loader.stepsPerEpoch * passes,
    async *epoch(epoch) {
      for (let pass = 0; pass < passes; pass++) yield* loader.epoch(epoch * passes + pass);
    },
  };
}

/** Trains on the training hands and evaluates on the unseen one; `say` hears of every epoch. */
export async function trainTask(
  data: SplitDataset,
  recipe: Recipe,
  engine: Engine,
  cacheDir: string,
  say: (line: string) => void,
): Promise<DemoRun> {
  const { classes } = data.train;
  const config: MobileOneConfig = modelConfig(recipe.variant, {
    depths: recipe.depths!,
    widths: recipe.widths!,
    num_conv_branches: recipe.num_conv_branches!,
    num_classes: classes.length,
  });
  const preprocessing = { ...DEFAULT_PREPROCESSING, size: recipe.size, cropPct: recipe.crop_pct };
  const graph = mobileOne(config);
  const common = {
    size: recipe.size,
    seed: recipe.seed,
    workers: recipe.workers ?? 1,
    preprocessing,
    cacheDir,
    augment: {
      cropScale: [recipe.crop_scale_min, 1],
      cropRatio: [1 / recipe.crop_ratio, recipe.crop_ratio],
      hflip: recipe.hflip,
      affine: {
        degrees: recipe.rotate,
        translate: recipe.translate,
        scale: [1 - recipe.scale, 1 + recipe.scale],
        fill: 'white',
      },
      colorJitter: {
        brightness: recipe.brightness,
        contrast: recipe.contrast,
        saturation: recipe.saturation,
        hue: recipe.hue,
      },
    },
  } as const;
  // Samples are in the order of their classes; recalibration wants mixed batches.
  const mixed = {
    classes,
    samples: data.train.samples.toSorted((a, b) => (a.path.split('/').at(-1)! < b.path.split('/').at(-1)! ? -1 : 1)),
  };
  const loaders = [
    await createLoader({ ...common, dataset: data.train, batchSize: recipe.batch_size, train: true }),
    await createLoader({ ...common, dataset: data.val, batchSize: 100, train: false, workers: 0 }),
    await createLoader({ ...common, dataset: mixed, batchSize: 100, train: false, workers: 0 }),
  ] as const;

  const epochs: EpochMetrics[] = [];
  let model: ModelFile | undefined;
  try {
    const [training, val, calibration] = loaders;
    const run = train({
      run: 'runs/demo',
      recipe,
      model: withPreprocess(graph, preprocessing),
      classes,
      engine,
      train: longEpochs(training, PASSES),
      val,
      calibration,
      trainImages: data.train.samples.length,
      valImages: data.val.samples.length,
      evalBatch: 100,
      calibrationBatch: 100,
      // Nothing to resume in a demo of two minutes: only the final weights are kept.
      store: {
        checkpoint: async () => '',
        async model(_, state, { valTop1, valTop5 }) {
          const metrics = { top1: valTop1, top5: valTop5 };
          model = { config, form: 'train', classes, preprocessing, graph, state, metrics, info: {} };
          return '';
        },
      },
    });
    let eta = 0;
    for await (const event of run) {
      if (event.type === 'step') eta = event.etaSeconds;
      if (event.type !== 'epoch') continue;
      const { metrics } = event;
      epochs.push(metrics);
      const { epoch, trainLoss, valTop1, valTop5, imagesPerSecond } = metrics;
      const left = epochs.length < recipe.epochs ? `, ${Math.round(eta)} s to go` : '';
      say(
        `epoch ${String(epoch + 1).padStart(2)}/${recipe.epochs}  loss ${trainLoss.toFixed(2)}  unseen hand: top-1 ${valTop1.toFixed(0)} %, top-5 ${valTop5.toFixed(0)} %  (${imagesPerSecond.toFixed(0)} pictures/s${left})`,
      );
    }
  } finally {
    for (const loader of loaders) await loader.close();
  }
  return { model: model!, epochs };
}
