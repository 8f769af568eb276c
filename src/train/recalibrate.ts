/**
 * Measures BN statistics anew for given weights. Running statistics belong to the weights of recent steps, not to
 * their moving average; evaluated with them, the average can be far off.
 */
import { type StateDict, scalar, type Tensor } from '../core/tensor.ts';
import type { Program } from '../engine/engine.ts';
import { type Graph, isLearnable } from '../graph/graph.ts';
import { trainMode } from '../step/train-step.ts';

/** What recalibration needs of a batch. */
export interface ImageBatch {
  readonly images: Tensor;
  /** Real images; the rest is padding. */
  readonly count: number;
}

/** The graph that recalibration runs: the model in train mode, without loss or gradients. */
export function calibrationGraph(model: Graph): Graph {
  return { ...trainMode(model), name: `${model.name}.calibrate`, outputs: { logits: model.outputs.logits! } };
}

/**
 * Runs a program compiled from `calibrationGraph` over the batches and returns the state with every running mean and
 * variance replaced by the plain mean over batches (bn_momentum 1 / (t + 1)). A padded batch counts only if it is
 * the only one. Returns undefined when the signal aborts; throws a TypeError without batches.
 */
export async function recalibrate(
  program: Program,
  graph: Graph,
  state: StateDict,
  batches: Iterable<ImageBatch> | AsyncIterable<ImageBatch>,
  signal?: AbortSignal,
): Promise<StateDict | undefined> {
  for (const name of Object.keys(graph.params)) program.write(name, state.get(name)!);
  let t = 0;
  for await (const { images, count } of batches) {
    if (signal?.aborted) return undefined;
    if (t > 0 && count < images.shape[0]!) continue;
    await program.run({ image: images, bn_momentum: scalar(1 / (t + 1)) });
    t++;
  }
  if (t === 0) throw new TypeError('recalibration needs at least one batch of images');
  const measured = new Map(state);
  for (const [name, spec] of Object.entries(graph.params))
    if (!isLearnable(spec)) measured.set(name, program.read(name));
  return measured;
}
