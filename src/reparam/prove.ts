/** The proof that fusing changed nothing: both forms are run on images, real ones where there are any, and their logits compared. */
import type { Proof } from '../checkpoint/proof.ts';
import { UserError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { type CompileOptions, type Engine, loadState, type Program } from '../engine/engine.ts';
import type { Dims } from '../graph/bind.ts';
import type { Graph } from '../graph/graph.ts';
import { expandBranches } from '../graph/passes/branches.ts';
import type { Model } from './fuse.ts';

export type { Proof } from '../checkpoint/proof.ts';

/** Images as the graphs take them (uint8 `[N, H, W, C]` behind Preprocess, else float32 `[N, C, H, W]`). */
export type ProofBatch = Tensor | { readonly images: Tensor; readonly count: number };

export interface ProofOptions {
  /** Largest logit difference allowed, relative to the largest absolute logit; default 1e-4. */
  readonly bound?: number;
  readonly threads?: number;
  /** Which output is compared; default `logits`. The first class is then the largest value of an image. */
  readonly output?: string;
  /** The images are not real ones; the proof says so. */
  readonly generated?: boolean | undefined;
}

export const DEFAULT_BOUND = 1e-4;

/**
 * Runs both forms on batches of images and compares their logits; the two graphs take the same input. The train form
 * is run branch by branch, so that an engine that fuses by itself does not check its own work. Of a padded batch the
 * first `count` images are taken. Throws a UserError above the bound or without images.
 */
export async function prove(
  engine: Engine,
  trainModel: Model,
  fused: Model,
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
  options: ProofOptions = {},
): Promise<Proof> {
  const proof = await compareForms(engine, trainModel, fused, batches, options);
  if (proof.images === 0) {
    throw new UserError('There are no images to prove the fused model on.', 'Name a folder with at least one image.');
  }
  if (!proof.passed) {
    throw new UserError(
      `The fused model is not the trained one: on ${proof.images} images the logits differ by up to ` +
        `${proof.maxLogitDifference.toPrecision(3)}, which is ${proof.relativeDifference.toExponential(1)} of the ` +
        `largest logit (allowed: ${proof.bound.toExponential(1)}), and the first class agrees on ` +
        `${proof.top1Agreement.toFixed(2)} % of them.`,
      'Nothing should be shipped from it. Check that both files come from the same checkpoint, then fuse again.',
    );
  }
  return proof;
}

/** Like `prove`, but returns the proof whether it passed or not. */
export async function compareForms(
  engine: Engine,
  trainModel: Model,
  fused: Model,
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
  options: ProofOptions = {},
): Promise<Proof> {
  const pick = {
    ...(options.threads === undefined ? {} : { threads: options.threads }),
    ...(options.output === undefined ? {} : { output: options.output }),
  };
  const first = formRunner(engine, { ...trainModel, graph: branchForm(engine, trainModel.graph) }, pick);
  const second = formRunner(engine, fused, pick);
  try {
    return await compareRunners([first, second], batches, { ...options, engine: engine.capabilities().description });
  } finally {
    await first.dispose();
    await second.dispose();
  }
}

/** Asks both runners for the logits of every image and sums up how far they lie apart. */
export async function compareRunners(
  [first, second]: readonly [Pick<FormRunner, 'logits'>, Pick<FormRunner, 'logits'>],
  batches: Iterable<ProofBatch> | AsyncIterable<ProofBatch>,
  { bound = DEFAULT_BOUND, engine, generated }: Pick<ProofOptions, 'bound' | 'generated'> & { readonly engine: string },
): Promise<Proof> {
  const gaps: Gap[] = [];
  for await (const batch of batches) {
    const { images, count } = 'images' in batch ? batch : { images: batch, count: batch.shape[0]! };
    gaps.push(...compareLogits(await first.logits(images), await second.logits(images), count));
  }
  const proof = summarize(gaps, bound, engine);
  return generated ? { ...proof, generated } : proof;
}

/** The train form as branches where the engine can run them; else with RepConv nodes. Other forms are as they are. */
export function branchForm(engine: Engine, graph: Graph): Graph {
  const { ops } = engine.capabilities();
  const canExpand = (['Conv', 'BatchNormalization', 'Add'] as const).every((kind) => ops.has(kind));
  return canExpand && graph.nodes.some(({ kind }) => kind === 'RepConv') ? expandBranches(graph) : graph;
}

/** Gives logits of batches. */
export interface FormRunner {
  logits(images: Tensor): Promise<Tensor>;
  dispose(): Promise<void>;
}

/** Runs a model on batches of images `[N, …]`; keeps one program, compiled again when the shape of the batch changes. */
export function formRunner(
  engine: Engine,
  { graph, state }: Model,
  { output = 'logits', ...options }: Omit<CompileOptions, 'dims'> & { readonly output?: string } = {},
): FormRunner {
  const input = graph.inputs[0]!;
  let program: Program | undefined;
  let shape = '';
  const dispose = async (): Promise<void> => {
    await program?.dispose();
    program = undefined;
  };
  return {
    async logits(images) {
      if (!program || shape !== String(images.shape)) {
        await dispose();
        program = await engine.compile(graph, { ...options, dims: bindImages(input.shape, images) });
        shape = String(images.shape);
        const missing = loadState(program, state);
        if (missing.length > 0) throw new TypeError(`the state of "${graph.name}" lacks "${missing[0]}"`);
      }
      const { [output]: logits } = await program.run({ [input.name]: images });
      if (!logits) throw new TypeError(`graph "${graph.name}" has no output "${output}"`);
      return logits;
    },
    dispose,
  };
}

/** Sizes of the named dimensions that make an input shape fit the images. */
function bindImages(shape: readonly (number | string)[], images: Tensor): Dims {
  if (shape.length !== images.shape.length || shape.some((d, i) => typeof d === 'number' && d !== images.shape[i])) {
    throw new UserError(
      `The images have the shape [${images.shape.join(', ')}], the model takes [${shape.join(', ')}].`,
      'Give images with as many channels as the model was trained on.',
    );
  }
  return Object.fromEntries(shape.flatMap((dim, i) => (typeof dim === 'string' ? [[dim, images.shape[i]!]] : [])));
}

/** One image: how far the logits lie apart, and how much the first form prefers its class to the second form's. */
export interface Gap {
  readonly difference: number;
  readonly maxAbs: number;
  readonly preference: number;
  readonly sameClass: boolean;
}

/** Compares the first `count` rows of two tensors of logits `[N, classes]`, or of other outputs `[N, …]`. */
export function compareLogits(a: Tensor, b: Tensor, count: number): Gap[] {
  const [classes, others] = [a, b].map(({ data, shape }) => data.length / shape[0]!) as [number, number];
  if (others !== classes) {
    throw new UserError(
      `The two forms have ${classes} and ${others} classes, so they are not the same model.`,
      'Check that both files come from the same checkpoint.',
    );
  }
  return Array.from({ length: count }, (_, n) => {
    const [x, y] = [a, b].map(({ data }) => data.subarray(n * classes, (n + 1) * classes)) as [Row, Row];
    let difference = 0;
    let maxAbs = 0;
    for (let c = 0; c < classes; c++) {
      const gap = Math.abs(x[c]! - y[c]!);
      difference = Number.isFinite(gap) ? Math.max(difference, gap) : Number.POSITIVE_INFINITY;
      maxAbs = Math.max(maxAbs, Math.abs(x[c]!));
      if (difference === Number.POSITIVE_INFINITY) break;
    }
    const [top, other] = [argmax(x), argmax(y)];
    return { difference, maxAbs, preference: x[top]! - x[other]!, sameClass: top === other };
  });
}

type Row = Tensor['data'];

function argmax(row: Row): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

/** Sums up the comparison of all images; `engine` says what ran them. */
export function summarize(gaps: readonly Gap[], bound: number, engine: string): Proof {
  const largest = (pick: (gap: Gap) => number): number => gaps.reduce((max, gap) => Math.max(max, pick(gap)), 0);
  const maxLogitDifference = largest(({ difference }) => difference);
  const maxAbsLogit = largest(({ maxAbs }) => maxAbs);
  const relativeDifference = maxLogitDifference === 0 ? 0 : maxLogitDifference / maxAbsLogit;
  const differing = gaps.filter(({ sameClass }) => !sameClass);
  const ties = differing.filter(({ preference }) => preference <= 2 * bound * maxAbsLogit).length;
  return {
    images: gaps.length,
    maxLogitDifference,
    maxAbsLogit,
    relativeDifference,
    top1Agreement: gaps.length === 0 ? 0 : (100 * (gaps.length - differing.length)) / gaps.length,
    ties,
    bound,
    passed: gaps.length > 0 && relativeDifference <= bound && ties === differing.length,
    engine,
  };
}
