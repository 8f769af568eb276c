/** What there is to compare on this machine: train form against fused, our engine against ONNX Runtime. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Engine } from '../engine/engine.ts';
import { hasRuntime, ortEngine } from '../engine/ort-node.ts';
import { expandBranches } from '../graph/passes/branches.ts';
import { withPreprocess } from '../models/preprocess.ts';
import { fuse } from '../reparam/fuse.ts';
import { programSubject, type Subject } from './measure.ts';

export interface SubjectOptions {
  readonly engine: Engine;
  /** Images a run; default 1. */
  readonly batch?: number;
  /** Side of the image in pixels; default: the model's. */
  readonly size?: number;
  /** Threads for every subject; default 1. */
  readonly threads?: number;
  /** ONNX Runtimes to compare with; default both. Those that are not installed are named in `notes`. */
  readonly runtimes?: readonly ('node' | 'web')[];
}

/** What is needed of a model to measure it. */
export type MeasuredModel = Pick<ModelFile, 'graph' | 'state' | 'form' | 'preprocessing'> & {
  readonly config: Pick<ModelFile['config'], 'in_chans'>;
};

/**
 * Subjects for a model: `train form, branches` (if the model has it) and `fused` on our engine, and both in each ONNX
 * Runtime. All take uint8 images `[N, S, S, C]`.
 */
export async function modelSubjects(
  model: MeasuredModel,
  options: SubjectOptions,
): Promise<{ subjects: Subject[]; notes: string[] }> {
  const { engine, batch = 1, size = model.preprocessing.size, threads = 1, runtimes = ['node', 'web'] } = options;
  const dims = { N: batch, H: size, W: size };
  const common = { dims, threads, feeds: { image: patternImages([batch, size, size, model.config.in_chans]) } };
  const fused = fuse(model.graph, model.state);
  const forms = [
    ...(model.form === 'train'
      ? [{ name: 'train form, branches', graph: expandBranches(model.graph), state: model.state }]
      : []),
    { name: 'fused', ...fused },
  ].map((form) => ({ ...form, graph: withPreprocess(form.graph, model.preprocessing) }));

  const engines: Engine[] = [engine];
  const notes: string[] = [];
  for (const runtime of runtimes) {
    if (await hasRuntime(runtime)) engines.push(await ortEngine({ runtime, threads }));
    else notes.push(`onnxruntime-${runtime} is not installed and was left out.`);
  }
  return {
    subjects: engines.flatMap((one) => forms.map((form) => programSubject(form.name, one, form, common))),
    notes,
  };
}

/** A fixed picture: times of convolutions do not depend on what it shows. */
function patternImages(shape: readonly [number, number, number, number]): Tensor {
  const length = shape.reduce((product, size) => product * size, 1);
  return { shape, data: Uint8Array.from({ length }, (_, i) => (i * 37) & 255) };
}
