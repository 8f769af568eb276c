/** Judges the same images with batch, stored and new BN statistics: what `diagnose` compares. */
import { type StateDict, scalar } from '../core/tensor.ts';
import { type Engine, loadState, type Program } from '../engine/engine.ts';
import { type Evaluation, evaluate, type LabeledBatch } from '../evaluate/evaluate.ts';
import type { Graph } from '../graph/graph.ts';
import { fuse } from '../reparam/fuse.ts';
import type { Outcomes } from './diagnose.ts';
import { calibrationGraph, type ImageBatch, recalibrate } from './recalibrate.ts';

export type Mode = keyof Outcomes;

export interface ModesOptions {
  readonly engine: Engine;
  /** Train form, taking uint8 `image` `[N, size, size, C]` (`withPreprocess`), and its weights. */
  readonly graph: Graph;
  readonly state: StateDict;
  readonly classes: number;
  readonly size: number;
  readonly batch: number;
  /** The images to judge, in an order that mixes the classes; a last batch that is padded is left out. */
  readonly images: () => AsyncIterable<LabeledBatch>;
  /** Training images to measure statistics on, in batches of the same size; without them, the images judged are taken. */
  readonly calibration?: (() => AsyncIterable<ImageBatch>) | undefined;
}

/** Evaluates every mode; `adapted` only where there are images for calibration. */
export async function evaluateModes(options: ModesOptions): Promise<Partial<Record<Mode, Evaluation>>> {
  const { engine, graph, state, classes, size, batch, images, calibration } = options;
  const dims = { N: batch, H: size, W: size };
  const judged = (): AsyncIterable<LabeledBatch> => fullBatches(images());
  const opened: Program[] = [];
  const compile = async (compiled: Graph): Promise<Program> => {
    const program = await engine.compile(compiled, { dims });
    opened.push(program);
    return program;
  };
  try {
    const training = await compile(calibrationGraph(graph));
    const plain = await compile(fuse(graph, state).graph);
    const stored = async (weights: StateDict): Promise<Evaluation> => {
      loadState(plain, fuse(graph, weights).state);
      return (await evaluate(plain, judged(), classes))!;
    };
    const anew = async (batches: AsyncIterable<ImageBatch>): Promise<Evaluation> =>
      await stored((await recalibrate(training, graph, state, batches))!);
    loadState(training, state);
    // A momentum of 0 leaves the stored statistics as they are.
    const withBatch = {
      run: ({ image }: Parameters<Program['run']>[0]) => training.run({ image: image!, bn_momentum: scalar(0) }),
    };
    return {
      train: (await evaluate(withBatch, judged(), classes))!,
      eval: await stored(state),
      recalibrated: await anew(calibration?.() ?? judged()),
      ...(calibration ? { adapted: await anew(judged()) } : {}),
    };
  } finally {
    for (const program of opened) await program.dispose();
  }
}

/** Batches without padding, whose repeated images would weigh in the statistics. */
async function* fullBatches(batches: AsyncIterable<LabeledBatch>): AsyncGenerator<LabeledBatch> {
  for await (const batch of batches) if (batch.count === batch.images.shape[0]) yield batch;
}
