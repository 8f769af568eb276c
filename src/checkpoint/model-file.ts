/**
 * A model as one safetensors file: weights under timm's names, and a description as JSON under the metadata key
 * `mobileone`. Files of Apple's code and of timm, which have none, are recognized from names and shapes.
 */
import { UserError } from '../core/errors.ts';
import type { StateDict, Tensor } from '../core/tensor.ts';
import { VERSION } from '../core/version.ts';
import type { Graph } from '../graph/graph.ts';
import { fuseGraph } from '../graph/passes/fuse.ts';
import { DEFAULT_PREPROCESSING, type Preprocessing } from '../images/preprocess.ts';
import { checkConfig, type MobileOneConfig, mobileOne } from '../models/mobileone.ts';
import { isStepCounter, toTimm } from './names.ts';
import type { Proof } from './proof.ts';
import { checkPlausible, checkState, type Form, recognize, variantOf } from './recognize.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

export type { Form } from './recognize.ts';

export interface ModelFile {
  readonly config: MobileOneConfig;
  /** `s0` … `s4` where the architecture is a released one. */
  readonly variant?: string;
  readonly form: Form;
  /** Class names, in the order of the logits. */
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

/** The metadata key of a model's description, and the version of its layout. */
export const MODEL_KEY = 'mobileone';
const LAYOUT = 1;
/** The metadata key of a training checkpoint's description (`training-state.ts`). */
export const CHECKPOINT_KEY = 'mobileone.checkpoint';

/** The graph of a configuration in the given form: image `[N, in_chans, H, W]` → logits `[N, num_classes]`. */
export function modelGraph(config: MobileOneConfig, form: Form): Graph {
  const graph = mobileOne(config);
  return form === 'fused' ? fuseGraph(graph) : graph;
}

/** Writes a model file; parameters that the graph does not have (momentum and the like) are left out. */
export function encodeModel(model: ModelFile): Uint8Array {
  const { config, variant, form, classes, multiLabel, preprocessing, graph, metrics, proof } = model;
  const names = Object.keys(graph.params);
  const state = new Map(names.flatMap((name) => (model.state.has(name) ? [[name, model.state.get(name)!]] : [])));
  checkState(modelGraph(config, form), state);
  const info = { ...model.info, created_with: `mobileone ${VERSION}` };
  const description = {
    layout: LAYOUT,
    config,
    variant,
    form,
    classes,
    multiLabel,
    preprocessing,
    metrics,
    proof,
    info,
  };
  return encodeSafetensors(toFloat32(state), { format: 'pt', [MODEL_KEY]: JSON.stringify(description) });
}

/**
 * Reads a model file, or a checkpoint with the names of Apple's code or timm in train or fused form.
 * Throws a UserError for a damaged file or one whose weights do not fit, listing the differing names.
 */
export function decodeModel(bytes: Uint8Array): ModelFile {
  const { tensors, metadata } = decodeSafetensors(bytes);
  if (metadata[CHECKPOINT_KEY] !== undefined) {
    throw new UserError('This file is a training checkpoint, not a model.', 'Open it as a checkpoint.');
  }
  const state = toFloat32(
    new Map([...tensors].filter(([name]) => !isStepCounter(name)).map(([name, value]) => [toTimm(name), value])),
  );
  const text = metadata[MODEL_KEY];
  const described = text === undefined ? describeForeign(state) : readDescription(text);
  checkConfig(described.config);
  checkPlausible(described.config, described.form, state);
  const graph = modelGraph(described.config, described.form);
  checkState(graph, state);
  return { ...described, graph, state };
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
  const convert = (value: Tensor): Tensor =>
    value.data instanceof Float32Array ? value : { shape: value.shape, data: Float32Array.from(value.data) };
  return new Map([...state].map(([name, value]) => [name, convert(value)]));
}

type Description = Omit<ModelFile, 'graph' | 'state'>;

function describeForeign(state: StateDict): Description {
  const { form, config } = recognize(state);
  const variant = variantOf(config, form);
  return {
    config,
    ...(variant ? { variant } : {}),
    form,
    classes: Array.from({ length: config.num_classes }, (_, i) => String(i)),
    preprocessing: foreignPreprocessing(config, variant),
    info: {},
  };
}

/** What timm documents for the released weights: S0 crops 0.875 of the image, the others 0.9. */
function foreignPreprocessing({ in_chans }: MobileOneConfig, variant: string | undefined): Preprocessing {
  const cropPct = variant === undefined || variant === 's0' ? DEFAULT_PREPROCESSING.cropPct : 0.9;
  const gray = Array<number>(in_chans).fill(0.5);
  return { ...DEFAULT_PREPROCESSING, cropPct, ...(in_chans === 3 ? {} : { mean: gray, std: gray }) };
}

function readDescription(text: string): Description {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw badDescription('it is not JSON');
  }
  const { layout, ...description } = (value ?? {}) as Description & { layout: number };
  if (typeof layout !== 'number') throw badDescription('its layout has no number');
  if (layout > LAYOUT) {
    throw new UserError(
      `The file was written by a newer version (${description.info?.created_with ?? `layout ${layout}`}).`,
      'Update mobileone and try again.',
    );
  }
  checkDescription(description);
  return description;
}

function badDescription(why: string): UserError {
  return new UserError(
    `The description inside the model file can't be read: ${why}.`,
    'The file may have been changed by another program. Export or copy it again.',
  );
}

const isNumbers = (value: unknown, length?: number): value is number[] =>
  Array.isArray(value) && value.every(Number.isFinite) && (length === undefined || value.length === length);

/** Checks every field of a description that later code relies on. */
export function checkDescription(
  description: Pick<Description, 'config' | 'form' | 'classes' | 'multiLabel' | 'preprocessing'>,
): void {
  const { config, form, classes, multiLabel, preprocessing } = description;
  if (form !== 'train' && form !== 'fused') throw badDescription('form must be train or fused');
  const fours = [config?.depths, config?.widths, config?.se_blocks];
  if (!fours.every((four) => isNumbers(four, 4))) throw badDescription('config needs depths, widths and se_blocks');
  const { num_conv_branches, rd_divisor, num_classes, in_chans } = config;
  if (![num_conv_branches, rd_divisor, num_classes, in_chans].every((count) => Number.isInteger(count) && count > 0)) {
    throw badDescription('config needs num_conv_branches, rd_divisor, num_classes and in_chans');
  }
  if (!Array.isArray(classes) || !classes.every((name) => typeof name === 'string')) {
    throw badDescription('classes must be a list of names');
  }
  if (multiLabel !== undefined && multiLabel !== true) throw badDescription('multiLabel must be true or left out');
  if (classes.length !== num_classes) throw badDescription(`it names ${classes.length} of ${num_classes} classes`);
  if (
    !(preprocessing?.size > 0 && preprocessing.cropPct > 0) ||
    !isNumbers(preprocessing.mean, in_chans) ||
    !isNumbers(preprocessing.std, in_chans)
  ) {
    throw badDescription('preprocessing needs size, cropPct, and mean and std for every channel');
  }
}
