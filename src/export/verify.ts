/** The check of exported files: they are opened in a real runtime and compared with our engine. */
import type { Proof } from '../checkpoint/proof.ts';
import { UserError } from '../core/errors.ts';
import type { Engine } from '../engine/engine.ts';
import { compareRunners, formRunner, type ProofBatch } from '../reparam/prove.ts';
import { type ExportedModel, FORMAT_BOUNDS, type Runner } from './format.ts';

export interface VerifyOptions {
  /** Largest logit difference allowed, relative to the largest absolute logit; default: that of the precision. */
  readonly bound?: number;
  /** The images are not real ones; the proof says so. */
  readonly generated?: boolean | undefined;
}

type Checked = Pick<ExportedModel, 'graph' | 'state' | 'options'>;

/**
 * Runs files and our engine on batches of images (uint8 `[N, H, W, C]` of the exported size) and compares their logits. Throws a UserError above the bound or without images.
 */
export async function verifyFiles(
  runner: Pick<Runner, 'description' | 'logits'>,
  exported: Checked,
  engine: Engine,
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
  options: VerifyOptions = {},
): Promise<Proof> {
  const proof = await compareFiles(runner, exported, engine, batches, options);
  if (proof.images === 0)
    throw new UserError('There are no images to check the exported file on.', 'Give at least one.');
  if (!proof.passed) {
    throw new UserError(
      `The exported file does not compute what the model computes: on ${proof.images} images the logits differ by up to ` +
        `${proof.maxLogitDifference.toPrecision(3)} (${proof.relativeDifference.toExponential(1)} of the largest; ` +
        `allowed: ${proof.bound.toExponential(1)}), and the first class agrees on ${proof.top1Agreement.toFixed(2)} %.`,
      'Nothing should be shipped from it. Export again, and check that the file and the model belong together.',
    );
  }
  return proof;
}

/** Like `verifyFiles`, but returns the proof whether it passed or not. */
export async function compareFiles(
  runner: Pick<Runner, 'description' | 'logits'>,
  exported: Checked,
  engine: Engine,
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
  options: VerifyOptions = {},
): Promise<Proof> {
  const ours = formRunner(engine, exported);
  return await compareRunners([ours, runner], batches, {
    bound: options.bound ?? FORMAT_BOUNDS[exported.options.precision],
    generated: options.generated,
    engine: `${runner.description} against ${engine.name}, ${engine.capabilities().description}`,
  }).finally(() => ours.dispose());
}
