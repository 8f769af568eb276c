/** Models and checkpoints on disk: written whole or not at all, read with the file's name in every complaint. */
import { open, readFile } from 'node:fs/promises';
import { UserError } from '../core/errors.ts';
import { decodeModel, encodeModel, type ModelFile } from './model-file.ts';
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
import { writeAtomic } from './write-node.ts';

export { type WriteSteps, writeAtomic } from './write-node.ts';

/** The bytes of a file; a UserError that says why where it can't be read. */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why =
      { ENOENT: 'there is no such file', EISDIR: 'it is a folder', EACCES: 'there is no permission to read it' }[
        code ?? ''
      ] ?? message;
    throw new UserError(`${path} can't be read: ${why}.`, 'Check the path.');
  }
}

/** Reads a file and decodes it, with its path put before any complaint. */
async function readWith<T>(path: string, decode: (bytes: Uint8Array) => T): Promise<T> {
  const bytes = await readBytes(path);
  try {
    return decode(bytes);
  } catch (error) {
    if (error instanceof UserError) throw new UserError(`${path}: ${error.message}`, error.hint, error.exitCode);
    throw error;
  }
}

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
  const file = await open(path, 'r').catch(() => undefined);
  if (!file) return undefined;
  try {
    const length = new Uint8Array(8);
    await file.read(length, 0, 8, 0);
    const { size } = await file.stat();
    const header = Math.min(size, 8 + Number(new DataView(length.buffer).getBigUint64(0, true)));
    const bytes = new Uint8Array(header);
    await file.read(bytes, 0, header, 0);
    return checkpointMeta(readSafetensorsMetadata(bytes));
  } catch (error) {
    if (error instanceof UserError) return undefined;
    throw error;
  } finally {
    await file.close();
  }
}

/** Writes a model file. */
export async function saveModel(path: string, model: ModelFile): Promise<void> {
  await writeAtomic(path, encodeModel(model));
}

/** Decodes a model: a model file, a checkpoint of Apple's code or timm, or a training checkpoint (its EMA weights). */
export function decodeAnyModel(bytes: Uint8Array): ModelFile {
  const checkpoint = isCheckpoint(readSafetensorsMetadata(bytes));
  return checkpoint ? checkpointModel(decodeCheckpoint(bytes)) : decodeModel(bytes);
}

/** Reads a model, as `decodeAnyModel` knows them. */
export async function loadModel(path: string): Promise<ModelFile> {
  return await readWith(path, decodeAnyModel);
}
