/** What a TFLite file that mobileone wrote says of itself: its classes, and how images are prepared for it. */
import { checkDescription } from '../../checkpoint/description.ts';
import type { Form, ModelFile } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import { decodeTable } from '../../engine/tflite/read-flatbuffer.ts';
import { MODEL_SCHEMA, TENSOR_TYPES } from '../../engine/tflite/schema.ts';
import type { Task } from '../onnx/write.ts';
import { DESCRIPTION_NAME } from './metadata.ts';

export interface TfliteDescription extends Pick<ModelFile, 'classes' | 'multiLabel' | 'preprocessing'> {
  readonly form: Form;
  /** Whether the input is uint8, and normalized inside. */
  readonly normalizes: boolean;
}

/** The fields that are read; any may be missing. */
interface ModelTable {
  readonly subgraphs?: readonly {
    readonly tensors?: readonly { readonly shape?: readonly number[]; readonly type?: number }[];
    readonly inputs?: readonly number[];
    readonly outputs?: readonly number[];
  }[];
  readonly buffers?: readonly { readonly data?: Uint8Array }[];
  readonly metadata?: readonly { readonly name?: string; readonly buffer?: number }[];
}

interface Stored {
  readonly form: Form;
  readonly task: Task;
  readonly labels: readonly string[];
  readonly preprocessing: ModelFile['preprocessing'];
  readonly config: ModelFile['config'];
}

/** Reads the description. Throws a UserError for a damaged file, or one that mobileone did not write. */
export function describeTflite(bytes: Uint8Array): TfliteDescription {
  const model = decodeTable(MODEL_SCHEMA, bytes) as ModelTable;
  const { form, task, labels, preprocessing, config } = storedIn(model);
  const multiLabel = task === 'multi_label_classification';
  const described = { form, classes: labels, preprocessing, ...(multiLabel ? { multiLabel } : {}) } as const;
  checkDescription({ ...described, config });
  const { size, mean } = preprocessing;
  const [input, output] = [tensorOf(model, 'inputs'), tensorOf(model, 'outputs')];
  const isUint8 = input?.type === TENSOR_TYPES.UINT8;
  const fits =
    (isUint8 || (input?.type ?? TENSOR_TYPES.FLOAT32) === TENSOR_TYPES.FLOAT32) &&
    String(input?.shape) === String([1, size, size, mean.length]) &&
    String(output?.shape) === String([1, labels.length]);
  if (!fits)
    throw new UserError(
      'The TFLite file takes other images, or gives other logits, than it says.',
      'It may have been changed by another program. Export or copy it again.',
    );
  return { ...described, normalizes: isUint8 };
}

function storedIn({ metadata = [], buffers = [] }: ModelTable): Stored {
  const entry = metadata.find(({ name }) => name === DESCRIPTION_NAME);
  const data = buffers[entry?.buffer ?? -1]?.data;
  const value = data && parsed(new TextDecoder().decode(data));
  if (typeof value !== 'object' || value === null)
    throw new UserError(
      "The TFLite file doesn't say which classes it knows and how images are prepared for it.",
      'Only files written by mobileone carry that.',
    );
  return value as Stored;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The only input or output of the model. */
function tensorOf({ subgraphs }: ModelTable, role: 'inputs' | 'outputs') {
  const [graph, ...others] = subgraphs ?? [];
  const list = graph?.[role] ?? [];
  return list.length === 1 && others.length === 0 ? graph?.tensors?.[list[0]!] : undefined;
}
