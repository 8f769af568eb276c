/** Models and checkpoints on disk: written whole or not at all, read with the file's name in every complaint. */
import { readFile, stat } from 'node:fs/promises';
import { asSource, type ByteSource } from '../core/byte-source.ts';
import { UserError } from '../core/errors.ts';
import { withFile } from '../data/read-at-node.ts';
import { type EncodeOptions, encodeModel, type ModelFile, type Origin, readModel } from './model-file.ts';
import { readSafetensorsMetadata } from './safetensors.ts';
import {
  type Checkpoint,
  type CheckpointMeta,
  checkpointMeta,
  checkpointModel,
  decodeCheckpoint,
  encodeCheckpoint,
  isCheckpoint,
} from './training-state.ts';
import { containerOf } from './weights-file.ts';
import { writeAtomic } from './write-node.ts';

export { type WriteSteps, writeAtomic } from './write-node.ts';

/** The bytes of a file; a UserError that says why where it can't be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  return await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`${path} can't be read: ${REASONS[error.code ?? ''] ?? error.message}.`, 'Check the path.');
  });
}

/** Opens a file and decodes it piece by piece, with its path put before any complaint. */
async function readWith<T>(path: string, decode: (file: ByteSource) => T): Promise<T> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => error.code ?? error.message);
  const why = typeof found === 'string' ? found : found.isDirectory() ? 'EISDIR' : undefined;
  if (why !== undefined) throw new UserError(`${path} can't be read: ${REASONS[why] ?? why}.`, 'Check the path.');
  try {
    return await withFile(path, decode);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${path}: ${error.message}`, error.hint, error.exitCode);
    throw error;
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EISDIR: 'it is a folder',
  EACCES: 'there is no permission to read it',
};

/** Writes a training checkpoint. */
export async function saveCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  await writeAtomic(path, encodeCheckpoint(checkpoint));
}

/** Reads a training checkpoint; a damaged or foreign file is a UserError. */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  return await readWith(path, decodeCheckpoint);
}

/** Reads what a checkpoint says of its run, without its weights; undefined where there is no readable checkpoint. */
export async function loadCheckpointMeta(path: string): Promise<CheckpointMeta | undefined> {
  return await readWith(path, (file) => checkpointMeta(readSafetensorsMetadata(file))).catch((error: unknown) => {
    if (error instanceof UserError) return undefined;
    throw error;
  });
}

/** Writes a model file, as `encodeModel` makes it. */
export async function saveModel(path: string, model: ModelFile, options: EncodeOptions = {}): Promise<void> {
  await writeAtomic(path, encodeModel(model, options));
}

export interface LoadedModel {
  readonly model: ModelFile;
  /** Where it came from; undefined for a training checkpoint of ours. */
  readonly origin?: Origin;
}

/** Decodes a model of any kind: a file of weights as `readModel` takes it, or a training checkpoint (its EMA weights). */
export function decodeAnyModel(file: Uint8Array | ByteSource): LoadedModel {
  const source = asSource(file);
  const checkpoint = containerOf(source) === 'safetensors' && isCheckpoint(readSafetensorsMetadata(source));
  return checkpoint ? { model: checkpointModel(decodeCheckpoint(source)) } : readModel(source);
}

/** Reads a model, as `decodeAnyModel` knows them. */
export async function loadAnyModel(path: string): Promise<LoadedModel> {
  return await readWith(path, decodeAnyModel);
}

/** Reads a model of any kind; see `loadAnyModel`. */
export async function loadModel(path: string): Promise<ModelFile> {
  return (await loadAnyModel(path)).model;
}
