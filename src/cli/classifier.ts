/** A model file as a program: uint8 images in, logits out, in the plain form. */
import { type ModelFile, modelGraph } from '../checkpoint/model-file.ts';
import { type Engine, loadState, type Program } from '../engine/engine.ts';
import { withPreprocess } from '../models/preprocess.ts';
import { fuse } from '../reparam/fuse.ts';

/** Compiles the fused form of a model for `batch` images `image` `[N, H, W, C]` → `logits` `[N, classes]`. */
export async function compileClassifier(engine: Engine, model: ModelFile, batch: number): Promise<Program> {
  const { graph, state } = fuse(modelGraph(model.config, model.form), model.state);
  const { size } = model.preprocessing;
  const program = await engine.compile(withPreprocess(graph, model.preprocessing), {
    dims: { N: batch, H: size, W: size },
  });
  loadState(program, state);
  return program;
}
