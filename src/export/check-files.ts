/** The check of an export: every file, opened in its own runtime, against the model on our engine, on the same images. */
import { type ModelFile, requireForm } from '../checkpoint/model-file.ts';
import type { Proof } from '../checkpoint/proof.ts';
import { UserError } from '../core/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { withPreprocess } from '../models/preprocess.ts';
import { fuse, type Model } from '../reparam/fuse.ts';
import { compareLogits, formRunner, type Gap, type ProofBatch, summarize } from '../reparam/prove.ts';
import type { Encoded } from './encode-files.ts';
import { FORMAT_BOUNDS, type Format, type Runner } from './format.ts';
import { type GoldenImage, goldenPicker } from './golden.ts';

/** A file's proof, or why there is none. */
export type Check = { readonly proof: Proof } | { readonly unchecked: string };

export interface CheckOptions {
  /** Largest logit difference allowed, relative to the largest absolute logit; default: that of the precision. */
  readonly bound?: number;
  readonly threads?: number;
  /** The images were drawn from a seed. */
  readonly generated?: boolean;
  /** Images to keep as golden ones; default 10. */
  readonly golden?: number | undefined;
}

/** What a model computes from uint8 images `[N, H, W, C]` in a form, whatever a format makes of it. */
export function shippedForm(model: ModelFile, form: 'train' | 'fused'): Model {
  if (form === 'train') requireForm(model, 'train', 'to export the train form');
  const { graph, state } = form === 'fused' ? fuse(model.graph, model.state) : model;
  return { graph: withPreprocess(graph, model.preprocessing), state };
}

/**
 * Runs the model once and every file on the images (uint8 `[N, H, W, C]` of the exported size). Throws a UserError without
 * images, when a runtime is missing, or when a file's logits are farther from the model's than its bound.
 */
export async function checkFiles(
  files: readonly Encoded[],
  model: Model,
  { engine, multiLabel = false }: { readonly engine: Engine; readonly multiLabel?: boolean | undefined },
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
  options: CheckOptions = {},
): Promise<{ checks: Check[]; golden: GoldenImage[] }> {
  const { threads = 1, generated = false } = options;
  const picker = goldenPicker(options.golden ?? 10, multiLabel);
  const ours = formRunner(engine, model);
  const opened: { runner: Runner | undefined; gaps: Gap[] }[] = [];
  try {
    for (const { format, exported } of files)
      opened.push({ runner: await format.open?.(exported.files, exported.main, { threads }), gaps: [] });
    for await (const batch of batches) {
      const { images, count } = 'images' in batch ? batch : { images: batch, count: batch.shape[0]! };
      const expected = await ours.logits(images);
      picker.offer(images, expected, count);
      for (const { runner, gaps } of opened)
        if (runner) gaps.push(...compareLogits(expected, await runner.logits(images), count));
    }
    if (picker.images === 0)
      throw new UserError('There are no images to check the exported files on.', 'Give at least one.');
    const by = describeEngine(engine);
    const checks = opened.map(({ runner, gaps }, i): Check => {
      const { format, exported } = files[i]!;
      if (!runner) return { unchecked: noRuntime(format) };
      const bound = options.bound ?? FORMAT_BOUNDS[exported.options.precision];
      const proof = summarize(gaps, bound, `${runner.description} against ${by}`);
      if (!proof.passed) throw notTheModel(exported.main, proof);
      return { proof: generated ? { ...proof, generated: true } : proof };
    });
    return { checks, golden: picker.golden() };
  } finally {
    await ours.dispose();
    for (const { runner } of opened) await runner?.dispose();
  }
}

/** An engine as it describes itself, with its name. */
export function describeEngine({ name, capabilities }: Engine): string {
  const { description } = capabilities();
  return description.startsWith(name) ? description : `${name}, ${description}`;
}

/** Why a file of a format without a runtime is not run. */
export function noRuntime({ title }: Format): string {
  return `${title} has no runtime outside the devices of its maker, so the file was not run`;
}

function notTheModel(main: string, proof: Proof): UserError {
  const { images, maxLogitDifference, relativeDifference, bound, top1Agreement } = proof;
  return new UserError(
    `${main} does not compute what the model computes: on ${images} images the logits differ by up to ` +
      `${maxLogitDifference.toPrecision(3)} (${relativeDifference.toExponential(1)} of the largest; ` +
      `allowed: ${bound.toExponential(1)}), and the first class agrees on ${top1Agreement.toFixed(2)} %.`,
    'Nothing was written, and nothing should be shipped from it. Please report it with what mobileone info MODEL prints.',
  );
}
