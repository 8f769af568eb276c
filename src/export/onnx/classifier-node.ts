/** An ONNX file that `mobileone export` wrote, as a classifier of uint8 images: it knows its classes and its preprocessing. */
import { readFile } from 'node:fs/promises';
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { decodeOnnx } from '../../engine/onnx/encode.ts';
import { openOnnx, type SessionOptions } from '../../engine/onnx/session-node.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import { type FileInput, runFile } from './verify-node.ts';

export interface OnnxClassifier {
  readonly classes: readonly string[];
  /** Images may have several of the classes; files of before this was recorded say no. */
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
export async function openOnnxClassifier(path: string, options: SessionOptions = {}): Promise<OnnxClassifier> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`${path} can't be read: ${error.message}.`, 'Check the path.');
  });
  const { classes, multiLabel, input } = await describeFile(path, bytes);
  const session = await openOnnx(bytes, options);
  return {
    classes,
    ...(multiLabel ? { multiLabel } : {}),
    preprocessing: input.preprocessing,
    description: session.description,
    run: async ({ image }) => ({ logits: await runFile(session, input, image!) }),
    dispose: () => session.dispose(),
  };
}

interface Described {
  readonly classes: readonly string[];
  readonly multiLabel: boolean;
  readonly input: FileInput;
}

/** What the metadata of a file say of it. Throws a UserError where they don't. */
export async function describeFile(path: string, bytes: Uint8Array): Promise<Described> {
  // Files of other makers may hold what ours never do.
  const { metadata, inputs } = await decodeOnnx(bytes).catch((error: unknown) => {
    if (error instanceof UserError) throw new UserError(`${path}: ${error.message}`, error.hint);
    return { metadata: {} as Readonly<Record<string, string>>, inputs: [] };
  });
  const [{ dtype, shape } = { dtype: 'float32', shape: [] }] = inputs;
  const form = metadata['mobileone.form'];
  const labels = parsed(metadata['mobileone.labels']);
  const preprocessing = parsed(metadata['mobileone.preprocessing']) as Preprocessing | undefined;
  if (!Array.isArray(labels) || !(preprocessing && preprocessing.size > 0) || (form !== 'train' && form !== 'fused'))
    throw new UserError(
      `${path} doesn't say which classes it knows and how images are prepared for it.`,
      'Only files written by mobileone export carry that.',
    );
  const { size } = preprocessing;
  const layout = dtype === 'uint8' && shape[3] === preprocessing.mean.length ? 'nhwc' : 'nchw';
  const dynamicBatch = typeof shape[0] !== 'number';
  return {
    classes: labels.map(String),
    multiLabel: metadata['mobileone.task'] === 'multi_label_classification',
    input: { preprocessing, options: { layout, size, dynamicBatch, preprocessing: dtype === 'uint8', form } },
  };
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
