/** What an exported file is once it is open: a classifier of uint8 images that knows its classes and its preprocessing. */
import { readFile } from 'node:fs/promises';
import { UserError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Preprocessing } from '../images/preprocess.ts';

export interface FileClassifier {
  readonly classes: readonly string[];
  /** Images may have several of the classes. */
  readonly multiLabel?: true;
  /** What is left to do outside the file: resizing and cropping; normalizing is done by `run`. */
  readonly preprocessing: Preprocessing;
  /** The runtime, e.g. `onnxruntime-node 1.30.0`. */
  readonly description: string;
  /** `image` (uint8 `[N, size, size, C]`) → `logits` `[N, classes]`. */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  dispose(): Promise<void>;
}

/** The bytes of a file that the user named. Throws a UserError where there are none to read. */
export async function readNamedFile(path: string): Promise<Uint8Array> {
  return await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`${path} can't be read: ${error.message}.`, 'Check the path.');
  });
}
