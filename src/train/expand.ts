/** Expands a fused model on real images: measures every branch's statistics, then writes the equal train form. */
import { type StateDict, scalar } from '../core/tensor.ts';
import { type Engine, loadState } from '../engine/engine.ts';
import type { Graph } from '../graph/graph.ts';
import { isLearnable } from '../graph/graph.ts';
import { type ExpandOptions, expandedState, probeGraph, probeState, splitKernels } from '../reparam/expand.ts';
import type { ImageBatch } from './recalibrate.ts';

export interface ExpandInput {
  readonly engine: Engine;
  /** The model in train form (with its preprocessing), whose branches are to be made. */
  readonly graph: Graph;
  /** The fused weights. */
  readonly fused: StateDict;
  /** Images `[N, S, S, C]`; all batches of one size. */
  readonly batches: Iterable<ImageBatch> | AsyncIterable<ImageBatch>;
  /** Batches to measure on. */
  readonly count: number;
}

/** Returns the train-form state whose fused form is `fused`, up to rounding. Throws a TypeError without a full batch. */
export async function expand(
  { engine, graph, fused, batches, count }: ExpandInput,
  options: ExpandOptions = {},
): Promise<StateDict> {
  const split = splitKernels(graph, fused, options);
  const probe = probeGraph(graph);
  let program: Awaited<ReturnType<Engine['compile']>> | undefined;
  let t = 0;
  try {
    for await (const { images, count: real } of batches) {
      const [N, H, W] = images.shape as [number, number, number];
      if (t === count) break;
      if (real < N) continue;
      if (!program) {
        program = await engine.compile(probe, { dims: { N, H, W } });
        loadState(program, probeState(graph, fused, split));
      }
      await program.run({ [probe.inputs[0]!.name]: images, bn_momentum: scalar(1 / (t + 1)) });
      t++;
    }
    if (!program) throw new TypeError('expanding needs at least one full batch of images');
    const measured = program;
    const names = Object.keys(graph.params).filter((name) => !isLearnable(graph.params[name]!));
    const statistics = new Map(names.map((name) => [name, measured.read(name)] as const));
    return expandedState(graph, fused, split, statistics);
  } finally {
    await program?.dispose();
  }
}
