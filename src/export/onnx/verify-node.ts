/** The check of an exported file: it is opened in ONNX Runtime and compared with our engine on real images. */
import type { Proof } from '../../checkpoint/proof.ts';
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Engine } from '../../engine/engine.ts';
import { type OnnxSession, type OrtRuntime, openOnnx } from '../../engine/onnx/session-node.ts';
import { compareLogits, DEFAULT_BOUND, formRunner, type Gap, type ProofBatch, summarize } from '../../reparam/prove.ts';
import type { ExportedModel } from './write.ts';

export interface VerifyOptions {
  /** Largest logit difference allowed, relative to the largest absolute logit; default 1e-4. */
  readonly bound?: number;
  /** Which ONNX Runtime opens the file; default `node`. */
  readonly runtime?: OrtRuntime;
  readonly threads?: number;
}

type Checked = Pick<ExportedModel, 'graph' | 'state' | 'options' | 'preprocessing'>;

/**
 * Runs an ONNX file and our engine on batches of images (uint8 `[N, H, W, C]` of the exported size) and compares their
 * logits. Throws a UserError above the bound, without images, or when ONNX Runtime is missing.
 */
export async function verifyOnnx(
  file: string | Uint8Array,
  exported: Checked,
  engine: Engine,
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
  options: VerifyOptions = {},
): Promise<Proof> {
  const { bound = DEFAULT_BOUND, runtime = 'node', threads = 1 } = options;
  const session = await openOnnx(file, { runtime, threads });
  const ours = formRunner(engine, exported);
  const gaps: Gap[] = [];
  try {
    for await (const batch of batches) {
      const { images, count } = 'images' in batch ? batch : { images: batch, count: batch.shape[0]! };
      gaps.push(...compareLogits(await ours.logits(images), await runFile(session, exported, images), count));
    }
  } finally {
    await ours.dispose();
    await session.dispose();
  }
  const proof = summarize(
    gaps,
    bound,
    `${session.description} against ${engine.name}, ${engine.capabilities().description}`,
  );
  if (proof.images === 0)
    throw new UserError('There are no images to check the exported file on.', 'Give at least one.');
  if (!proof.passed) {
    throw new UserError(
      `The exported file does not compute what the model computes: on ${proof.images} images the logits differ by up to ` +
        `${proof.maxLogitDifference.toPrecision(3)} (${proof.relativeDifference.toExponential(1)} of the largest; ` +
        `allowed: ${bound.toExponential(1)}), and the first class agrees on ${proof.top1Agreement.toFixed(2)} %.`,
      'Nothing should be shipped from it. Export again, and check that the file and the model belong together.',
    );
  }
  return proof;
}

/** How an exported file takes its images. */
export type FileInput = Pick<ExportedModel, 'options' | 'preprocessing'>;

/** Logits of the file for uint8 images `[N, H, W, C]`; it may take one image at a time. */
export async function runFile(session: OnnxSession, exported: FileInput, images: Tensor): Promise<Tensor> {
  const [n, h, w, c] = images.shape as [number, number, number, number];
  const perRun = exported.options.dynamicBatch ? n : 1;
  const logits: Tensor[] = [];
  for (let from = 0; from < n; from += perRun) {
    const data = images.data.subarray(from * h * w * c, (from + perRun) * h * w * c) as Uint8Array;
    const feed = asInput({ shape: [perRun, h, w, c], data }, exported);
    const results = await session.run({ [session.inputs[0]!]: feed });
    if (!results.logits)
      throw new UserError('The file has no output "logits".', 'Check that it is the exported model.');
    logits.push(results.logits);
  }
  const classes = logits[0]!.shape[1]!;
  return { shape: [n, classes], data: Float32Array.from(logits.flatMap(({ data }) => [...data])) };
}

/** uint8 images `[N, H, W, C]` as the exported model takes them. */
export function asInput(images: Tensor, { options, preprocessing }: FileInput): Tensor {
  if (options.preprocessing && options.layout === 'nhwc') return images;
  const [n, h, w, c] = images.shape as [number, number, number, number];
  const { mean, std } = preprocessing;
  const data = options.preprocessing ? new Uint8Array(images.data.length) : new Float32Array(images.data.length);
  for (let i = 0; i < images.data.length; i++) {
    const channel = i % c;
    const position = Math.floor(i / c);
    const image = Math.floor(position / (h * w));
    const value = images.data[i]!;
    data[(image * c + channel) * h * w + (position % (h * w))] = options.preprocessing
      ? value
      : (value / 255 - mean[channel]!) / std[channel]!;
  }
  return { shape: [n, c, h, w], data };
}
