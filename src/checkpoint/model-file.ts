/**
 * A model as one safetensors file: weights under timm's names (or another framework's), and a description as JSON under the
 * metadata key `mobileone`. Files of others, which have none, are recognized from names and shapes.
 */
import { asSource, type ByteSource } from '../core/byte-source.ts';
import { UserError } from '../core/errors.ts';
import type { StateDict, Tensor } from '../core/tensor.ts';
import { VERSION } from '../core/version.ts';
import type { Graph } from '../graph/graph.ts';
import { fuseGraph } from '../graph/passes/fuse.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { checkConfig, type MobileOneConfig, mobileOne } from '../models/mobileone.ts';
import { type Description, MODEL_KEY, readDescription, writeDescription } from './description.ts';
import { fromTimm, type Naming } from './names.ts';
import type { Proof } from './proof.ts';
import { checkPlausible, checkState, type Form, recognize, variantOf } from './recognize.ts';
import { encodeSafetensors } from './safetensors.ts';
import { type Source, sourceOf, sourcePreprocessing } from './sources.ts';
import { readAll } from './stored.ts';
import { openSafetensorsWeights, openWeights, type WeightsFile } from './weights-file.ts';

export { MODEL_KEY } from './description.ts';
export type { Form } from './recognize.ts';

export interface ModelFile {
  readonly config: MobileOneConfig;
  /** `s0` … `s4` where the architecture is a released one. */
  readonly variant?: string;
  readonly form: Form;
  /** Class names, in the order of the logits; none where there is no classifier. */
  readonly classes: readonly string[];
  /** Images may have several of the classes: each logit is a question of its own (sigmoid), not one choice (softmax). */
  readonly multiLabel?: true;
  readonly preprocessing: Preprocessing;
  readonly graph: Graph;
  readonly state: StateDict;
  /** What was measured, e.g. `{ top1: 97.1 }` (percent). */
  readonly metrics?: Readonly<Record<string, number>>;
  /** The check that the fused form equals the trained one. */
  readonly proof?: Proof;
  /** Free text by key; `created_with` names the version that wrote the file. */
  readonly info: Readonly<Record<string, string>>;
}

/** The metadata key of a training checkpoint's description (`training-state.ts`). */
export const CHECKPOINT_KEY = 'mobileone.checkpoint';

/** The graph of a configuration in the given form: image `[N, in_chans, H, W]` → logits `[N, num_classes]`. */
export function modelGraph(config: MobileOneConfig, form: Form): Graph {
  const graph = mobileOne(config);
  return form === 'fused' ? fuseGraph(graph) : graph;
}

/** How a model file is written. */
export interface EncodeOptions {
  /** Whose names the weights get, with PyTorch's step counters, so that the code of that framework loads the file as it is. */
  readonly naming?: Naming;
  /** Values of the counters, by timm's names; 0 where there is none. */
  readonly counters?: StateDict;
  /** `F16` stores the weights in half precision. */
  readonly floats?: 'F32' | 'F16';
}

/**
 * Writes a model file; parameters that the graph does not have (momentum and the like) are left out. Without a naming the
 * names are timm's, and there are no step counters.
 */
export function encodeModel(model: ModelFile, { naming, counters, floats = 'F32' }: EncodeOptions = {}): Uint8Array {
  const { graph, state, ...description } = model;
  const names = Object.keys(graph.params);
  const own = new Map(names.flatMap((name) => (state.has(name) ? [[name, state.get(name)!]] : [])));
  checkState(modelGraph(model.config, model.form), own);
  const info = { ...model.info, created_with: `mobileone ${VERSION}` };
  const metadata = { format: 'pt', [MODEL_KEY]: writeDescription({ ...description, info }) };
  const tensors = toFloat32(own);
  if (naming === undefined) return encodeSafetensors(tensors, metadata, { floats });
  const counts = counterNames(graph).map((name): [string, Tensor] => [name, counters?.get(name) ?? NOT_COUNTED]);
  const renamed = [...tensors, ...counts].map(([name, value]): [string, Tensor] => [fromTimm(name, naming), value]);
  const int64 = new Set(counts.map(([name]) => fromTimm(name, naming)));
  return encodeSafetensors(new Map(renamed), metadata, { floats, int64 });
}

const NOT_COUNTED: Tensor = { shape: [], data: Int32Array.of(0) };

/** Names of the step counters that PyTorch keeps beside the statistics of a graph. */
function counterNames(graph: Graph): string[] {
  const statistic = /\.running_var$/;
  return Object.keys(graph.params).flatMap((name) =>
    statistic.test(name) ? [name.replace(statistic, '.num_batches_tracked')] : [],
  );
}

/** What was found out about a file beside its model. */
export interface Origin {
  readonly source: Source;
  readonly file: WeightsFile;
  /** Step counters of the BatchNorms, by timm's names. */
  readonly counters: StateDict;
}

/**
 * Reads a model of any kind of file (`weights-file.ts`), and tells where it came from. Weights without a classifier make
 * one of no classes. Throws a UserError for a damaged file or one whose weights do not fit, listing the differing names.
 */
export function readModel(file: Uint8Array | ByteSource): ReadModel {
  return modelIn(openWeights(asSource(file)));
}

/** A model, and where it came from. */
export interface ReadModel {
  readonly model: ModelFile;
  readonly origin: Origin;
}

/** As `readModel`, of safetensors files only: for pages, which are spared the readers of other kinds. */
export function decodeSafetensorsModel(file: Uint8Array): ModelFile {
  return modelIn(openSafetensorsWeights(asSource(file))).model;
}

function modelIn(opened: WeightsFile): ReadModel {
  const { tensors, metadata, naming } = opened;
  if (metadata[CHECKPOINT_KEY] !== undefined) {
    throw new UserError('This file is a training checkpoint, not a model.', 'Open it as a checkpoint.');
  }
  const text = metadata[MODEL_KEY];
  const source = text === undefined ? sourceOf(naming, tensors.has('head.fc.weight')) : 'mobileone';
  const described = source === 'mobileone' ? readDescription(text!) : describeForeign(source, opened);
  checkConfig(described.config);
  checkPlausible(described.config, described.form, tensors);
  const graph = modelGraph(described.config, described.form);
  checkState(graph, tensors, (name) => fromTimm(name, naming));
  const state = new Map(Object.keys(graph.params).map((name) => [name, asFloat32(tensors.get(name)!.read())]));
  const kept = new Set(counterNames(graph));
  const counters = readAll(new Map([...opened.counters].filter(([name]) => kept.has(name))));
  return { model: { ...described, graph, state }, origin: { source, file: opened, counters } };
}

/** Reads a model of any kind of file; see `readModel`. */
export function decodeModel(file: Uint8Array | ByteSource): ModelFile {
  return readModel(file).model;
}

function describeForeign(source: Exclude<Source, 'mobileone'>, { tensors, classes }: WeightsFile): Description {
  const { form, config } = recognize(tensors);
  const variant = variantOf(config, form);
  const numbers = Array.from({ length: config.num_classes }, (_, i) => String(i));
  return {
    config,
    ...(variant ? { variant } : {}),
    form,
    classes: classes?.length === config.num_classes ? classes : numbers,
    preprocessing: sourcePreprocessing(source, config, variant),
    info: {},
  };
}

/** Throws a clear UserError unless the model has the form that `purpose` ("to continue training") needs. */
export function requireForm(model: Pick<ModelFile, 'form'>, form: Form, purpose: string): void {
  if (model.form === form) return;
  throw new UserError(
    form === 'train'
      ? `This model is fused, and the train form is needed ${purpose}.`
      : `This model is in train form, and the fused form is needed ${purpose}.`,
    form === 'train'
      ? 'Give the file it was fused from; or make branches whose sum equals it: mobileone expand MODEL.'
      : 'Fuse it first: mobileone fuse MODEL.',
  );
}

/** A state in float32, whatever it was stored as. */
export function toFloat32(state: StateDict): StateDict {
  return new Map([...state].map(([name, value]) => [name, asFloat32(value)]));
}

function asFloat32(value: Tensor): Tensor {
  return value.data instanceof Float32Array ? value : { shape: value.shape, data: Float32Array.from(value.data) };
}
