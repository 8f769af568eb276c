/** An ONNX file that `mobileone export` wrote, as a classifier of uint8 images: it knows its classes and its preprocessing. */
import { readFile } from 'node:fs/promises';
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import type { RunnerOptions } from '../format.ts';
import { openOnnxRunner } from './runner-node.ts';

export interface OnnxClassifier {
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

/** Opens an exported file in ONNX Runtime. Throws a UserError for a file without mobileone's description. */
export async function openOnnxClassifier(path: string, options: RunnerOptions = {}): Promise<OnnxClassifier> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`${path} can't be read: ${error.message}.`, 'Check the path.');
  });
  const runner = await openOnnxRunner(bytes, path, options);
  const { classes, multiLabel, preprocessing } = runner.about;
  return {
    classes,
    ...(multiLabel ? { multiLabel } : {}),
    preprocessing,
    description: runner.description,
    run: async ({ image }) => ({ logits: await runner.logits(image!) }),
    dispose: () => runner.dispose(),
  };
}
