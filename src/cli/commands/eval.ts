import pc from 'picocolors';
import { UserError } from '../../core/errors.ts';
import { sampleName } from '../../data/dataset.ts';
import { type Calibration, calibrationOf } from '../../evaluate/calibration.ts';
import { classAccuracy, type Evaluation, evaluate, mostConfused, worstMistakes } from '../../evaluate/evaluate.ts';
import { answersOf, wrongAnswers } from '../../evaluate/multi-label.ts';
import { type Robustness, robustness } from '../../evaluate/robustness.ts';
import { STRENGTHS } from '../../images/corrupt/corruptions.ts';
import { diagnoseCommand } from '../diagnose.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { type LabeledImages, labeledImages } from '../labeled-images.ts';
import { type Evaluated, openEvaluated } from '../open-classifier.ts';
import { openEvalLoader } from '../open-data.ts';
import { wholeNumber } from '../open-engine.ts';
import { countImages, loaderHooks } from '../progress.ts';
import { textTable } from '../text-table.ts';

export interface EvalFlags {
  readonly split?: string | undefined;
  readonly batchSize: string;
  readonly corruptions?: true | undefined;
  readonly diagnose?: true | undefined;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly strict?: true | undefined;
  readonly json?: true | undefined;
}

/** What `eval` found. */
interface Results {
  readonly evaluation: Evaluation;
  /** Of the first answers; where images may have several labels, of every class of every image. */
  readonly calibration: Calibration;
  readonly robustness?: Robustness;
}

/** `mobileone eval`: accuracy, calibration, what is confused with what, the worst mistakes, and robustness if asked for. */
export async function evalCommand(io: Io, target: string, dir: string | undefined, flags: EvalFlags): Promise<number> {
  const batchSize = wholeNumber('--batch-size', flags.batchSize);
  const opened = await openEvaluated(target, flags);
  if (flags.diagnose) return await diagnoseCommand(io, opened, dir, { ...flags, batchSize });
  const { classes, preprocessing } = opened.model;
  const images = await labeledImages(opened, dir, flags.split);
  const hooks = loaderHooks(io, flags.json);
  if (flags.corruptions && preprocessing.mean.length !== 3)
    throw new UserError('Corruptions are for RGB images, and this model sees others.', 'Leave out --corruptions.', 2);
  const batch = Math.min(batchSize, images.dataset.samples.length);
  const loader = await openEvalLoader(images.dataset, batch, preprocessing, { ...hooks, strict: flags.strict });
  const classifier = await opened.open(batch);
  try {
    const evaluation = (await evaluate(classifier, loader.epoch(0), classes.length))!;
    const { predictions, rows } = evaluation;
    const progress = countImages(io, flags.json === true, 'corrupting images');
    const results: Results = {
      evaluation,
      calibration: calibrationOf(rows ? answersOf(rows) : predictions),
      ...(flags.corruptions
        ? { robustness: await robustness(classifier, () => loader.epoch(0), classes.length, evaluation, progress) }
        : {}),
    };
    if (flags.json) io.out(JSON.stringify(asJson(opened, images, results, hooks.skipped)));
    else print(io, opened, images, results);
    return EXIT.ok;
  } finally {
    await classifier.dispose();
    await loader.close();
  }
}

interface Named {
  readonly class: string;
  readonly predicted: string;
}

function findings({ model }: Evaluated, { dataset }: LabeledImages, result: Evaluation) {
  const { classes } = model;
  const named = ({ label, predicted }: { label: number; predicted: number }): Named => ({
    class: classes[label]!,
    predicted: classes[predicted]!,
  });
  return {
    confused: mostConfused(result.confusion, classes.length).map((pair) => ({
      ...named(pair),
      count: pair.count,
      share: pair.share,
    })),
    mistakes: worstMistakes(result.predictions).map((mistake) => ({
      path: sampleName(dataset.samples[mistake.index]!),
      ...named(mistake),
      confidence: mistake.confidence,
    })),
  };
}

/** Classes that images were given or denied against their labels, with names. */
function wrongLabels({ model }: Evaluated, { dataset }: LabeledImages, { rows = [], predictions }: Evaluation) {
  return wrongAnswers(rows).map(({ at, class: one, probability, has }) => ({
    path: sampleName(dataset.samples[predictions[at]!.index]!),
    class: model.classes[one]!,
    probability,
    has,
  }));
}

const wrongText = ({ path, class: name, probability, has }: ReturnType<typeof wrongLabels>[number]): string =>
  `${path}: ${has ? 'has' : 'has no'} ${name}, given ${(100 * probability).toFixed(1)} %`;

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

function asJson(opened: Evaluated, images: LabeledImages, results: Results, skipped: readonly object[]): object {
  const { classes } = opened.model;
  const { evaluation, calibration, robustness } = results;
  const { loss, top1, top5, confusion, averagePrecision } = evaluation;
  return {
    model: opened.path,
    data: images.description,
    images: evaluation.images,
    top1,
    top5,
    loss,
    ece: calibration.ece,
    reliability: calibration.bins,
    ...(averagePrecision
      ? {
          map: averagePrecision.mean,
          averagePrecision: averagePrecision.classes.map(orNull),
          classImages: averagePrecision.images,
        }
      : {}),
    classes,
    ...(averagePrecision
      ? { wrongAnswers: wrongLabels(opened, images, evaluation) }
      : {
          classAccuracy: classAccuracy(confusion, classes.length).map(orNull),
          confusion: classes.map((_, label) => [
            ...confusion.subarray(label * classes.length, (label + 1) * classes.length),
          ]),
          ...findings(opened, images, evaluation),
        }),
    ...(robustness ? { robustness } : {}),
    skipped,
  };
}

/** Up to so many classes their accuracies are printed; the JSON has all. */
const PRINTED_CLASSES = 20;

function print(io: Io, opened: Evaluated, images: LabeledImages, results: Results): void {
  const { classes } = opened.model;
  const { evaluation, calibration, robustness } = results;
  const several = evaluation.averagePrecision;
  for (const warning of images.warnings) io.err(`${pc.yellow('warning:')} ${warning}`);
  io.out(`${opened.path} on ${images.description}: ${evaluation.images}`);
  io.out(
    `${several ? `mAP ${several.mean.toFixed(2)} %` : `top-1 ${evaluation.top1.toFixed(2)} %   top-5 ${evaluation.top5.toFixed(2)} %`}   loss ${evaluation.loss.toFixed(4)}   ECE ${calibration.ece.toFixed(2)} %`,
  );
  printLines(io, reliabilityTitle(calibration), reliabilityLines(calibration, several !== undefined));
  if (several) {
    printLines(io, 'average precision of each class', classLines(several.classes, several.images, classes));
    printLines(
      io,
      'surest wrong answers (or wrong labels)',
      wrongLabels(opened, images, evaluation).map((one) => wrongText(one)),
    );
  } else {
    const { confusion } = evaluation;
    const counts = classes.map((_, label) => imagesOf(confusion, label, classes.length));
    printLines(io, 'accuracy of each class', classLines(classAccuracy(confusion, classes.length), counts, classes));
    printMistakes(io, findings(opened, images, evaluation));
  }
  if (robustness) printLines(io, robustnessTitle(robustness), robustnessLines(robustness));
}

function printMistakes(io: Io, { confused, mistakes }: ReturnType<typeof findings>): void {
  printLines(
    io,
    'most often confused',
    confused.map((pair) => `${pair.class} taken for ${pair.predicted}: ${pair.count} (${pair.share.toFixed(1)} %)`),
  );
  printLines(
    io,
    'surest mistakes (or wrong labels)',
    mistakes.map(
      ({ path, class: own, predicted, confidence }) =>
        `${path}: ${own} taken for ${predicted}, ${(100 * confidence).toFixed(1)} % sure`,
    ),
  );
}

function printLines(io: Io, title: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  io.out(`\n${title}`);
  for (const line of lines) io.out(`  ${line}`);
}

function reliabilityTitle({ ece, overconfidence }: Calibration): string {
  const gap = Math.abs(overconfidence);
  const how =
    gap < ece / 3 ? 'both surer and less sure than it is right' : overconfidence > 0 ? 'too sure' : 'too unsure';
  return `can its probabilities be believed: on average ${ece.toFixed(1)} points off (ECE), ${how}`;
}

function reliabilityLines({ bins }: Calibration, several: boolean): string[] {
  const share = (value: number): string => `${(100 * value).toFixed(1)} %`;
  return textTable([
    ['probability', several ? 'classes of images' : 'images', 'mean', several ? 'there' : 'right', 'gap'],
    ...bins
      .filter(({ count }) => count > 0)
      .map(({ from, to, count, confidence, accuracy }) => [
        `${(100 * from).toFixed(0)}–${(100 * to).toFixed(0)} %`,
        String(count),
        share(confidence),
        share(accuracy),
        (100 * (confidence - accuracy)).toFixed(1),
      ]),
  ]);
}

/** Every class, worst first; only the worst where there are many. */
function classLines(values: readonly number[], images: readonly number[], classes: readonly string[]): string[] {
  const rows = values
    .map((accuracy, label) => ({ name: classes[label]!, accuracy, images: images[label]! }))
    .filter(({ accuracy }) => !Number.isNaN(accuracy))
    .sort((a, b) => a.accuracy - b.accuracy);
  const shown = rows.slice(0, PRINTED_CLASSES);
  const lines = textTable(
    shown.map(({ name, accuracy, images }) => [name, `${accuracy.toFixed(1)} %`, `of ${images}`]),
  );
  return rows.length > shown.length
    ? [...lines, `… and ${rows.length - shown.length} better ones (--json has all)`]
    : lines;
}

const imagesOf = (confusion: Int32Array, label: number, classes: number): number =>
  confusion.subarray(label * classes, (label + 1) * classes).reduce((sum, count) => sum + count, 0);

function robustnessTitle({ clean, mean, drop }: Robustness): string {
  return `on corrupted images ${mean.toFixed(2)} % on average: ${drop.toFixed(2)} points below ${clean.toFixed(2)} %`;
}

function robustnessLines({ metric, corruptions, mean }: Robustness): string[] {
  const cell = (value: number): string => value.toFixed(1);
  const overall = STRENGTHS.map(
    (_, i) => corruptions.reduce((sum, { scores }) => sum + scores[i]!, 0) / corruptions.length,
  );
  return textTable([
    [`${metric === 'map' ? 'mAP' : 'top-1'} in % at strength`, ...STRENGTHS.map(String), 'mean'],
    ...corruptions.map((row) => [row.corruption, ...row.scores.map(cell), cell(row.mean)]),
    ['mean', ...overall.map(cell), cell(mean)],
  ]);
}
