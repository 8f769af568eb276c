/** The report of a finished run: report.html, self-contained. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { readAs } from '../batches/cache-node.ts';
import { describeDevice } from '../bench/device-node.ts';
import type { ModelFile } from '../checkpoint/model-file.ts';
import { writeAtomic } from '../checkpoint/store-node.ts';
import { UserError } from '../core/errors.ts';
import type { EpochMetrics } from '../core/events.ts';
import { type Dataset, type Sample, sampleName } from '../data/dataset.ts';
import { compileClassifier } from '../embed/compile.ts';
import type { Engine } from '../engine/engine.ts';
import { calibrationOf } from '../evaluate/calibration.ts';
import { classAccuracy, type Evaluation, evaluate, mostConfused, worstMistakes } from '../evaluate/evaluate.ts';
import { topK } from '../evaluate/metrics.ts';
import { type AveragePrecision, answersOf, probabilitiesOf, wrongAnswers } from '../evaluate/multi-label.ts';
import { describeCheck } from '../export/print-card.ts';
import { encodePng } from '../images/encode-node.ts';
import { resizeRegion } from '../images/resize.ts';
import { type ConfusedPair, type ExamplePrediction, renderReport } from '../report/html.ts';
import type { ClassAccuracy, Fed } from '../report/model-sections.ts';
import { exportsOf } from './export-record.ts';
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
  const exported = await exportsOf(files.exports, fused);
  const shipped = Object.values(exported?.files ?? {});
  const images = `${loaders.train.images} training and ${loaders.val.images} validation images`;
  const html = await renderReport({
    title: `MobileOne on ${plan.dir.split(/[\\/]/).at(-1)}`,
    summary: `${fused.variant ? `MobileOne-${fused.variant.toUpperCase()}` : 'A MobileOne of its own'} at ${recipe.size} px on ${classes.length} classes: ${images}, ${recipe.epochs} epochs.`,
    headlines: several
      ? [
          {
            value: `${several.mean.toFixed(1)} %`,
            text: 'mean average precision on the validation images, of the fused model',
          },
        ]
      : [
          { value: `${result.top1.toFixed(1)} %`, text: 'top-1 on the validation images, of the fused model' },
          ...(classes.length > 5 ? [{ value: `${result.top5.toFixed(1)} %`, text: 'top-5' }] : []),
        ],
    epochs,
    examples: await examplesOf(engine, fused, data.val, result),
    calibration: {
      ...calibrationOf(result.rows ? answersOf(result.rows) : result.predictions),
      images: result.images,
      multiLabel: several && true,
    },
    ...(several
      ? { classes: precisionsOf(several, classes), classMeasure: 'average precision' }
      : {
          confused: { unit: 'images', pairs: confusedPairs(result, classes) },
          classes: classesOf(result, classes),
        }),
    fed: await fedImages(loaders, classes),
    proofs: [
      ...(fused.proof ? [{ name: 'fused against trained', proof: fused.proof }] : []),
      ...shipped.flatMap((file) =>
        'proof' in file ? [{ name: `${basename(file.path)} against fused`, proof: file.proof }] : [],
      ),
    ],
    exports: shipped.map((file) => ({
      ...{ name: basename(file.path), title: file.title, precision: file.precision, bytes: file.bytes },
      check: describeCheck(file),
    })),
    ...(exported ? { latency: exported.latency } : {}),
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

/** Average precision of the classes that validation has images of. */
function precisionsOf({ classes: values, images }: AveragePrecision, classes: readonly string[]): ClassAccuracy[] {
  return values
    .map((accuracy, label) => ({ name: classes[label]!, accuracy, images: images[label]! }))
    .filter((one) => one.images > 0);
}

/** Labels of an image in words. */
const labelText = (labels: readonly number[], classes: readonly string[]): string =>
  labels.length === 0 ? 'none' : labels.map((label) => classes[label]!).join(', ');

/** The first images of the run's first step: what is random in them is named by epoch and sample, so they come again. */
async function fedImages({ train }: RunLoaders, classes: readonly string[]): Promise<Fed> {
  const images: { png: Uint8Array; label: string }[] = [];
  for await (const { images: batch, labels, labelSets, count } of train.epoch(0)) {
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
      const label = labelText(labelSets?.[n] ?? [labels[n]!], classes);
      images.push({ png: await encodePng({ shape: [1, side, side, channels], data: out }), label });
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

/** The images with the surest mistakes, and some that are right, by their place among the predictions. */
function chosenExamples({ predictions, rows }: Evaluation): number[] {
  const places = predictions.map((_, at) => at);
  const wrongAt = rows && wrongAnswers(rows, Number.POSITIVE_INFINITY).map(({ at }) => at);
  const byIndex = new Map(predictions.map(({ index }, at) => [index, at]));
  const mistakes = wrongAt ?? worstMistakes(predictions, EXAMPLES - 3).map(({ index }) => byIndex.get(index)!);
  const wrong = new Set(wrongAt ?? places.filter((at) => predictions[at]!.label !== predictions[at]!.predicted));
  const first = [...new Set(mistakes)].slice(0, EXAMPLES - 3);
  const right = places.filter((at) => !wrong.has(at));
  const rest = EXAMPLES - first.length;
  const spread = Array.from({ length: rest }, (_, i) => right[Math.floor((i * right.length) / rest)]);
  return [...new Set([...first, ...spread.filter((at) => at !== undefined)])];
}

/** The name of an image without the folders of its file. */
const shortName = ({ path, part, source = path }: Sample): string =>
  sampleName({ path: basename(source), ...(part ? { part } : {}) });

async function examplesOf(
  engine: Engine,
  model: ModelFile,
  { samples }: Dataset,
  result: Evaluation,
): Promise<ExamplePrediction[]> {
  const program = await compileClassifier(engine, model, 1);
  const { size, mean } = model.preprocessing;
  const geometry = { ...model.preprocessing, channels: mean.length };
  const { classes, multiLabel = false } = model;
  const examples: ExamplePrediction[] = [];
  try {
    for (const at of chosenExamples(result)) {
      const sample = samples[result.predictions[at]!.index]!;
      const labels = sample.labels ?? [sample.label];
      const image = { shape: [1, size, size, mean.length], data: (await readAs(sample, geometry)).data };
      const probabilities = probabilitiesOf((await program.run({ image })).logits!.data, multiLabel);
      const shown = Math.max(3, multiLabel ? probabilities.filter((value) => value > 0.5).length : 0);
      examples.push({
        picture: await encodePng(image),
        label: labelText(labels, classes),
        ...(multiLabel ? { labels: labels.map((label) => classes[label]!) } : {}),
        name: shortName(sample),
        predictions: topK(probabilities, shown).map((i) => ({ name: classes[i]!, probability: probabilities[i]! })),
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
