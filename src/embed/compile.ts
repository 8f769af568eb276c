/** A model file as a program: uint8 images in, logits and embeddings out, in the plain form. */
import { type ModelFile, modelGraph } from '../checkpoint/model-file.ts';
import { type Engine, loadState, type Program } from '../engine/engine.ts';
import { freezeGraph } from '../graph/build.ts';
import type { Graph } from '../graph/graph.ts';
import { withPreprocess } from '../models/preprocess.ts';
import { fuse } from '../reparam/fuse.ts';

/** The graph with one more output, `embedding` `[N, features]`: what the layer that makes the logits reads. */
export function withEmbedding(graph: Graph): Graph {
  const head = graph.nodes.find(({ outputs }) => outputs.includes(graph.outputs.logits!));
  if (head?.kind !== 'Gemm') throw new TypeError(`graph "${graph.name}" does not end in a linear layer`);
  return freezeGraph({ ...graph, outputs: { ...graph.outputs, embedding: head.inputs[0]! } });
}

/**
 * Compiles the fused form of a model for `batch` images `image` `[N, H, W, C]` → `logits` `[N, classes]` and `embedding`
 * `[N, features]`, the pooled features before the classifier.
 */
export async function compileClassifier(engine: Engine, model: ModelFile, batch: number): Promise<Program> {
  const { graph, state } = fuse(modelGraph(model.config, model.form), model.state);
  const { size } = model.preprocessing;
  const program = await engine.compile(withPreprocess(withEmbedding(graph), model.preprocessing), {
    dims: { N: batch, H: size, W: size },
  });
  loadState(program, state);
  return program;
}
