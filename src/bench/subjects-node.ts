/** What there is to compare on this machine: train form against fused, our engine against ONNX Runtime and LiteRT.js. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import type { Engine } from '../engine/engine.ts';
import { toOnnx } from '../engine/onnx/to-onnx.ts';
import { hasRuntime, ortEngine } from '../engine/ort-node.ts';
import { toTflite } from '../engine/tflite/to-tflite.ts';
import { expandBranches } from '../graph/passes/branches.ts';
import { withPreprocess } from '../models/preprocess.ts';
import { fuse } from '../reparam/fuse.ts';
import { FORMS } from './forms.ts';
import { programSubject, type Subject } from './measure.ts';
import { patternImage } from './pattern.ts';
import type { BenchModel } from './runtimes.ts';

/** What is needed of a model to measure it. */
export type Benchable = Pick<ModelFile, 'graph' | 'state' | 'form' | 'preprocessing'> & {
  readonly config: Pick<ModelFile['config'], 'in_chans'>;
};

/** Makes a file once. */
function once(make: () => Promise<Uint8Array>): () => Promise<Uint8Array> {
  let made: Promise<Uint8Array> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}

/**
 * A model in the forms that can be measured: the train form with its branches written out (if it has it), and fused. Both take uint8
 * images `[N, S, S, C]`.
 */
export function benchModels(
  model: Benchable,
  { batch = 1, size = model.preprocessing.size }: { readonly batch?: number; readonly size?: number } = {},
): BenchModel[] {
  const dims = { N: batch, H: size, W: size };
  const feeds = { image: patternImage([batch, size, size, model.config.in_chans]) };
  const forms = [
    ...(model.form === 'train' ? [{ name: FORMS.train, graph: expandBranches(model.graph), state: model.state }] : []),
    { name: FORMS.fused, ...fuse(model.graph, model.state) },
  ];
  return forms.map(({ name, graph: bare, state }) => {
    const graph = withPreprocess(bare, model.preprocessing);
    return {
      ...{ name, graph, state, dims, feeds },
      onnx: once(() => toOnnx(graph, state, { dims, dynamicBatch: false })),
      tflite: once(() => toTflite(graph, state, { dims })),
    };
  });
}

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

/** Subjects for a model on an engine of your own: both forms on it, and both in each ONNX Runtime. */
export async function modelSubjects(
  model: Benchable,
  options: SubjectOptions,
): Promise<{ subjects: Subject[]; notes: string[] }> {
  const { engine, threads = 1, runtimes = ['node', 'web'] } = options;
  const engines: Engine[] = [engine];
  const notes: string[] = [];
  for (const runtime of runtimes) {
    if (await hasRuntime(runtime)) engines.push(await ortEngine({ runtime, threads }));
    else notes.push(`onnxruntime-${runtime} is not installed and was left out.`);
  }
  const forms = benchModels(model, options);
  return {
    subjects: engines.flatMap((one) =>
      forms.map((form) => programSubject(form.name, one, form, { dims: form.dims, threads, feeds: form.feeds })),
    ),
    notes,
  };
}
