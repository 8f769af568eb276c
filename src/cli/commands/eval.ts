import pc from 'picocolors';
import { sampleName } from '../../data/dataset.ts';
import { classAccuracy, type Evaluation, evaluate, mostConfused, worstMistakes } from '../../evaluate/evaluate.ts';
import { compileClassifier } from '../classifier.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { type LabeledImages, labeledImages } from '../labeled-images.ts';
import { openEvalLoader } from '../open-data.ts';
import { openEngine, wholeNumber } from '../open-engine.ts';
import { type OpenedModel, openModel } from '../open-model.ts';
import { loaderHooks } from '../progress.ts';

export interface EvalFlags {
  readonly split?: string | undefined;
  readonly batchSize: string;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly strict?: true | undefined;
  readonly json?: true | undefined;
}

/** `mobileone eval`: accuracy, what is confused with what, and the worst mistakes. */
export async function evalCommand(io: Io, target: string, dir: string | undefined, flags: EvalFlags): Promise<number> {
  const batchSize = wholeNumber('--batch-size', flags.batchSize);
  const opened = await openModel(target);
  const images = await labeledImages(opened, dir, flags.split);
  const hooks = loaderHooks(io, flags.json);
  const batch = Math.min(batchSize, images.dataset.samples.length);
  const loader = await openEvalLoader(images.dataset, batch, opened.model.preprocessing, {
    ...hooks,
    strict: flags.strict,
  });
  const engine = await openEngine({ ...flags, name: flags.engine ?? opened.run?.recipe.engine });
  const program = await compileClassifier(engine, opened.model, batch);
  try {
    const result = (await evaluate(program, loader.epoch(0), opened.model.classes.length))!;
    if (flags.json) io.out(JSON.stringify(asJson(opened, images, result, hooks.skipped)));
    else print(io, opened, images, result);
    return EXIT.ok;
  } finally {
    await program.dispose();
    await loader.close();
  }
}

interface Named {
  readonly class: string;
  readonly predicted: string;
}

function findings({ model }: OpenedModel, { dataset }: LabeledImages, result: Evaluation) {
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

function asJson(opened: OpenedModel, images: LabeledImages, result: Evaluation, skipped: readonly object[]): object {
  const { classes } = opened.model;
  const { loss, top1, top5, confusion } = result;
  return {
    model: opened.path,
    data: images.description,
    images: result.images,
    top1,
    top5,
    loss,
    classes,
    classAccuracy: classAccuracy(confusion, classes.length).map((value) => (Number.isNaN(value) ? null : value)),
    confusion: classes.map((_, label) => [...confusion.subarray(label * classes.length, (label + 1) * classes.length)]),
    ...findings(opened, images, result),
    skipped,
  };
}

function print(io: Io, opened: OpenedModel, images: LabeledImages, result: Evaluation): void {
  for (const warning of images.warnings) io.err(`${pc.yellow('warning:')} ${warning}`);
  io.out(`${opened.path} on ${images.description}: ${result.images}`);
  io.out(`top-1 ${result.top1.toFixed(2)} %   top-5 ${result.top5.toFixed(2)} %   loss ${result.loss.toFixed(4)}`);
  const { confused, mistakes } = findings(opened, images, result);
  if (confused.length > 0) io.out('\nmost often confused');
  for (const { class: own, predicted, count, share } of confused)
    io.out(`  ${own} taken for ${predicted}: ${count} (${share.toFixed(1)} %)`);
  if (mistakes.length > 0) io.out('\nsurest mistakes (or wrong labels)');
  for (const { path, class: own, predicted, confidence } of mistakes)
    io.out(`  ${path}: ${own} taken for ${predicted}, ${(100 * confidence).toFixed(1)} % sure`);
}
