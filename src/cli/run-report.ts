/** The report of a finished run: report.html, self-contained. */
import { readFile } from 'node:fs/promises';
import { readAs } from '../batches/cache-node.ts';
import { describeDevice } from '../bench/device-node.ts';
import type { ModelFile } from '../checkpoint/model-file.ts';
import { writeAtomic } from '../checkpoint/store-node.ts';
import { UserError } from '../core/errors.ts';
import type { EpochMetrics } from '../core/events.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Engine } from '../engine/engine.ts';
import { calibrationOf } from '../evaluate/calibration.ts';
import { classAccuracy, type Evaluation, evaluate, mostConfused, worstMistakes } from '../evaluate/evaluate.ts';
import { softmax, topK } from '../evaluate/metrics.ts';
import { encodePng } from '../export/bundle-node.ts';
import { resizeRegion } from '../images/resize.ts';
import { type ConfusedPair, type ExamplePrediction, renderReport } from '../report/html.ts';
import type { ClassAccuracy, Fed } from '../report/model-sections.ts';
import { compileClassifier } from './classifier.ts';
import type { RunLoaders } from './open-data.ts';
import type { RunPlan } from './plan-run.ts';
import { originsIn } from './recipe-file.ts';

const EXAMPLES = 9;
const PAIRS = 8;
const FED = 16;
/** Pixels of a picture of what training sees, at most. */
const FED_SIZE = 128;

/**
 * Evaluates the fused model once more and writes the report. Returns its path, or throws a UserError when the packages
 * that draw it are missing.
 */
export async function writeRunReport(
  plan: RunPlan,
  engine: Engine,
  fused: ModelFile,
  loaders: RunLoaders,
  epochs: readonly EpochMetrics[],
): Promise<string> {
  const { files, data, recipe, commandLine } = plan;
  const { classes } = fused;
  const program = await compileClassifier(engine, fused, loaders.evalBatch);
  const result = (await evaluate(program, loaders.val.epoch(0), classes.length).finally(() => program.dispose()))!;
  const several = result.averagePrecision;
  const images = `${loaders.train.images} training and ${loaders.val.images} validation images`;
  const html = await renderReport({
    title: `MobileOne on ${plan.dir.split(/[\\/]/).at(-1)}`,
    summary: `${fused.variant ? `MobileOne-${fused.variant.toUpperCase()}` : 'A MobileOne of its own'} at ${recipe.size} px on ${classes.length} classes: ${images}, ${recipe.epochs} epochs.`,
    headlines: [
      ...(several
        ? [{ value: `${several.mean.toFixed(1)} %`, text: 'mean average precision on the validation images' }]
        : []),
      { value: `${result.top1.toFixed(1)} %`, text: 'top-1 on the validation images, of the fused model' },
      ...(classes.length > 5 ? [{ value: `${result.top5.toFixed(1)} %`, text: 'top-5' }] : []),
    ],
    epochs,
    examples: await examplesOf(engine, fused, data.val, result),
    // These speak of one answer an image.
    ...(several
      ? {}
      : {
          confused: { unit: 'images', pairs: confusedPairs(result, classes) },
          calibration: { ...calibrationOf(result.predictions), images: result.images },
          classes: classesOf(result, classes),
        }),
    fed: await fedImages(loaders, classes),
    proofs: fused.proof ? [{ name: 'fused against trained', proof: fused.proof }] : [],
    recipe: { ...recipe },
    origins: originsIn(await readFile(files.recipe, 'utf8').catch(() => '')),
    command: commandLine,
    environment: environmentOf(plan, engine),
  });
  await writeAtomic(files.report, html);
  return files.report;
}

function confusedPairs({ confusion }: Evaluation, classes: readonly string[]): ConfusedPair[] {
  return mostConfused(confusion, classes.length, PAIRS).map(({ label, predicted, count }) => ({
    label: classes[label]!,
    predicted: classes[predicted]!,
    value: count,
  }));
}

function classesOf({ confusion }: Evaluation, classes: readonly string[]): ClassAccuracy[] {
  const count = (label: number): number =>
    confusion.subarray(label * classes.length, (label + 1) * classes.length).reduce((sum, images) => sum + images, 0);
  return classAccuracy(confusion, classes.length)
    .map((accuracy, label) => ({ name: classes[label]!, accuracy, images: count(label) }))
    .filter(({ images }) => images > 0);
}

/** The first images of the run's first step: what is random in them is named by epoch and sample, so they come again. */
async function fedImages({ train }: RunLoaders, classes: readonly string[]): Promise<Fed> {
  const images: { png: Uint8Array; label: string }[] = [];
  for await (const { images: batch, labels, count } of train.epoch(0)) {
    const [, size, , channels] = batch.shape as [number, number, number, number];
    const side = Math.min(size, FED_SIZE);
    for (let n = 0; n < Math.min(count, FED); n++) {
      const source = {
        width: size,
        height: size,
        channels,
        data: batch.data.subarray(n * size * size * channels, (n + 1) * size * size * channels) as Uint8Array,
      };
      const out = new Uint8Array(side * side * channels);
      resizeRegion(source, { x: 0, y: 0, width: size, height: size }, { out, offset: 0, width: side, height: side });
      images.push({
        png: await encodePng({ shape: [1, side, side, channels], data: out }),
        label: classes[labels[n]!]!,
      });
    }
    break;
  }
  return {
    images,
    text: 'The first images of the first step, cropped, turned and colored as the recipe says; every epoch draws anew.',
  };
}

function environmentOf({ recipe }: RunPlan, engine: Engine): Record<string, string> {
  const { mobileone, node, cpu, cores } = describeDevice();
  const { threads, description } = engine.capabilities();
  return {
    mobileone,
    Node: node,
    seed: String(recipe.seed),
    engine: `${description}, ${threads} thread${threads > 1 ? 's' : ''}`,
    machine: `${cpu}, ${cores} core${cores > 1 ? 's' : ''}`,
  };
}

/** The surest mistakes, and the first images when there are too few. */
async function examplesOf(
  engine: Engine,
  model: ModelFile,
  { samples }: Dataset,
  { predictions }: Evaluation,
): Promise<ExamplePrediction[]> {
  const mistakes = worstMistakes(predictions, EXAMPLES - 3);
  const right = predictions.filter(({ label, predicted }) => label === predicted);
  const rightOnes = Array.from({ length: EXAMPLES - mistakes.length }, (_, i) =>
    right.at(Math.floor((i * right.length) / (EXAMPLES - mistakes.length))),
  );
  const chosen = new Set([...mistakes, ...rightOnes].flatMap((one) => (one ? [one.index] : [])));
  const program = await compileClassifier(engine, model, 1);
  const { size, mean } = model.preprocessing;
  const geometry = { ...model.preprocessing, channels: mean.length };
  const examples: ExamplePrediction[] = [];
  try {
    for (const index of chosen) {
      const sample = samples[index]!;
      const { label } = sample;
      const image = { shape: [1, size, size, mean.length], data: (await readAs(sample, geometry)).data };
      const probabilities = softmax((await program.run({ image })).logits!.data);
      examples.push({
        picture: await encodePng(image),
        label: model.classes[label]!,
        predictions: topK(probabilities, 3).map((i) => ({ name: model.classes[i]!, probability: probabilities[i]! })),
      });
    }
  } finally {
    await program.dispose();
  }
  return examples;
}

/** Runs a part that a run can do without: what is missing is a sentence, not an error. */
export async function orWhy(part: Promise<string>): Promise<{ path: string } | { why: string }> {
  try {
    return { path: await part };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { why: `${error.message} ${error.hint}` };
  }
}
