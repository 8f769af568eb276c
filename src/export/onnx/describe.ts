/** What an exported ONNX file says of itself: its classes, what it takes, how precise it is. */
import { UserError } from '../../core/errors.ts';
import { decodeOnnx } from '../../engine/onnx/encode.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import type { ExportOptions, FileFacts } from '../format.ts';

export interface DescribedFile extends FileFacts {
  readonly options: Required<ExportOptions>;
  /** Images may have several of the classes; files of before this was recorded say no. */
  readonly multiLabel: boolean;
}

/** Reads the metadata of a file that `mobileone export` wrote; `name` is what messages call it. Throws a UserError for others. */
export async function describeOnnx(bytes: Uint8Array, name: string): Promise<DescribedFile> {
  // Files of other makers may hold what ours never do.
  const { metadata, inputs } = await decodeOnnx(bytes).catch((error: unknown) => {
    if (error instanceof UserError) throw new UserError(`${name}: ${error.message}`, error.hint);
    return { metadata: {} as Readonly<Record<string, string>>, inputs: [] };
  });
  const [{ dtype, shape } = { dtype: 'float32', shape: [] }] = inputs;
  const form = metadata['mobileone.form'];
  const labels = parsed(metadata['mobileone.labels']);
  const preprocessing = parsed(metadata['mobileone.preprocessing']) as Preprocessing | undefined;
  if (!Array.isArray(labels) || !isPreprocessing(preprocessing) || (form !== 'train' && form !== 'fused'))
    throw new UserError(
      `${name} doesn't say which classes it knows and how images are prepared for it.`,
      'Only files written by mobileone export carry that.',
    );
  const inside = dtype === 'uint8';
  // Files of before there was a choice say nothing.
  const precision = metadata['mobileone.precision'] === 'fp16' ? 'fp16' : 'fp32';
  return {
    classes: labels.map(String),
    multiLabel: metadata['mobileone.task'] === 'multi_label_classification',
    preprocessing,
    precision,
    options: {
      layout: inside && shape[3] === preprocessing.mean.length ? 'nhwc' : 'nchw',
      size: preprocessing.size,
      dynamicBatch: typeof shape[0] !== 'number',
      dynamicSize: typeof shape[2] !== 'number',
      preprocessing: inside,
      form,
      precision,
    },
  };
}

const areNumbers = (value: unknown): value is number[] => Array.isArray(value) && value.every(Number.isFinite);

function isPreprocessing(value: Preprocessing | undefined): value is Preprocessing {
  if (typeof value !== 'object' || value === null) return false;
  const { size, cropPct, mean, std } = value;
  return size > 0 && cropPct > 0 && areNumbers(mean) && areNumbers(std) && mean.length === std.length;
}

function parsed(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
