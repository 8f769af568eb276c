/**
 * Everything a run needs to go on as if it had never stopped, as one safetensors file: parameters, running
 * statistics, what optimizer and EMA keep (`momentum:<param>`, `exp_avg:<param>`, `ema:<param>` …), and the rest as
 * JSON under the metadata key `mobileone.checkpoint`.
 */
import type { ByteSource } from '../core/byte-source.ts';
import { UserError } from '../core/errors.ts';
import type { EpochMetrics } from '../core/events.ts';
import type { StateDict, Tensor } from '../core/tensor.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { checkConfig, type MobileOneConfig } from '../models/mobileone.ts';
import { checkDescription } from './description.ts';
import { CHECKPOINT_KEY, type ModelFile, modelGraph, toFloat32 } from './model-file.ts';
import { checkState, variantOf } from './recognize.ts';
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts';

export interface CheckpointMeta {
  /** The resolved recipe, as JSON. */
  readonly recipe: object;
  readonly config: MobileOneConfig;
  readonly variant?: string;
  readonly classes: readonly string[];
  readonly multiLabel?: true;
  readonly preprocessing: Preprocessing;
  /** Epoch to go on in, counted from 0. */
  readonly epoch: number;
  /** Steps of that epoch already done. */
  readonly step: number;
  readonly seed: number;
  /** Seconds trained so far. */
  readonly seconds: number;
  /** Metrics of the epochs so far. */
  readonly metrics: readonly EpochMetrics[];
  /** The best epoch and its metric: mean average precision if there is one, else top-1. */
  readonly best?: { readonly epoch: number; readonly valTop1: number };
}

export interface Checkpoint {
  readonly meta: CheckpointMeta;
  readonly state: StateDict;
}

const LAYOUT = 1;

/** Writes a checkpoint; what optimizer and EMA keep may be missing (before the first step), parameters may not. */
export function encodeCheckpoint({ meta, state }: Checkpoint): Uint8Array {
  checkState(modelGraph(meta.config, 'train'), parametersOf(state));
  return encodeSafetensors(state, { [CHECKPOINT_KEY]: JSON.stringify({ layout: LAYOUT, ...meta }) });
}

/** True for the bytes of a file that has a checkpoint's description (it may be damaged elsewhere). */
export function isCheckpoint(metadata: Readonly<Record<string, string>>): boolean {
  return metadata[CHECKPOINT_KEY] !== undefined;
}

/** Reads a checkpoint; throws a UserError for a damaged file or one that is not a checkpoint of ours. */
export function decodeCheckpoint(file: Uint8Array | ByteSource): Checkpoint {
  const { tensors, metadata } = decodeSafetensors(file);
  const text = metadata[CHECKPOINT_KEY];
  if (text === undefined) {
    throw new UserError(
      'This file is not a training checkpoint: it has weights, but no state of a run.',
      'To start from its weights, train with it as the pretrained model instead of resuming.',
    );
  }
  const meta = readMeta(text);
  const state = toFloats(tensors);
  checkConfig(meta.config);
  const parameters = parametersOf(state);
  checkState(modelGraph(meta.config, 'train'), parameters);
  for (const [name, { shape }] of state) {
    const own = parameters.get(name.slice(name.indexOf(':') + 1));
    if (!own || String(own.shape) !== String(shape)) throw damaged(`"${name}" belongs to no parameter of its shape`);
  }
  return { meta, state };
}

/** Reads only what a checkpoint says of its run, out of the file's metadata; undefined for another file. */
export function checkpointMeta(metadata: Readonly<Record<string, string>>): CheckpointMeta | undefined {
  const text = metadata[CHECKPOINT_KEY];
  return text === undefined ? undefined : readMeta(text);
}

/** Numbers as they were stored, so that an engine of float64 goes on with the same bits; integers become float32. */
function toFloats(tensors: StateDict): StateDict {
  const wide = [...tensors].filter(([, { data }]) => data instanceof Float64Array);
  return new Map([...toFloat32(tensors), ...wide]);
}

function damaged(why: string): UserError {
  return new UserError(
    `The training checkpoint is damaged: ${why}.`,
    'Resume from another checkpoint of the run, such as the previous or the best one.',
  );
}

function readMeta(text: string): CheckpointMeta {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw damaged('its description is not JSON');
  }
  const { layout, ...meta } = (value ?? {}) as CheckpointMeta & { layout: number };
  if (typeof layout !== 'number') throw damaged('its layout has no number');
  if (layout > LAYOUT) throw new UserError('The checkpoint was written by a newer version.', 'Update mobileone.');
  checkDescription({ ...meta, form: 'train' });
  const counts = [meta.epoch, meta.step, meta.seed, meta.seconds];
  if (!counts.every(Number.isFinite) || !Array.isArray(meta.metrics) || typeof meta.recipe !== 'object') {
    throw damaged('it does not say where the run stands');
  }
  return meta;
}

/** What a model file keeps of its epoch. */
export function scoresOf({ epoch, valLoss, valTop1, valTop5, valMap }: EpochMetrics): Record<string, number> {
  return { epoch, valLoss, valTop1, valTop5, ...(valMap === undefined ? {} : { valMap }) };
}

/** The entries that are parameters or running statistics themselves. */
function parametersOf(state: StateDict): StateDict {
  return new Map([...state].filter(([name]) => !name.includes(':')));
}

/** The model inside a checkpoint, in train form: with the EMA of the parameters if it was kept, unless told otherwise. */
export function checkpointModel({ meta, state }: Checkpoint, options: { readonly ema?: boolean } = {}): ModelFile {
  const { config, classes, multiLabel, preprocessing, metrics } = meta;
  const averaged = options.ema ?? true;
  const choose = (name: string, value: Tensor): Tensor => (averaged ? (state.get(`ema:${name}`) ?? value) : value);
  const variant = meta.variant ?? variantOf(config, 'train');
  const last = metrics.at(-1);
  return {
    config,
    ...(variant ? { variant } : {}),
    form: 'train',
    classes,
    ...(multiLabel ? { multiLabel } : {}),
    preprocessing,
    graph: modelGraph(config, 'train'),
    state: toFloat32(new Map([...parametersOf(state)].map(([name, value]) => [name, choose(name, value)]))),
    ...(last ? { metrics: scoresOf(last) } : {}),
    info: {},
  };
}
