/** A trained model as an ONNX file that carries its labels, its preprocessing and what is known about it. */
import { type ModelFile, requireForm } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import { type StateDict, sizeOf } from '../../core/tensor.ts';
import { toOnnx } from '../../engine/onnx/to-onnx.ts';
import { evalGeometry } from '../../images/preprocess.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { fuse } from '../../reparam/fuse.ts';
import type { ExportedModel, ExportOptions, Precision } from '../format.ts';

/** What a model decides about an image, as Hugging Face's `problem_type` names it. */
export type Task = 'single_label_classification' | 'multi_label_classification';

/** The task of a model. */
export function taskOf({ multiLabel }: Pick<ModelFile, 'multiLabel'>): Task {
  return multiLabel ? 'multi_label_classification' : 'single_label_classification';
}

export const ONNX_PRECISIONS: readonly Precision[] = ['fp32', 'fp16'];

/** The file inside a bundle. */
const MAIN = 'model.onnx';
/** Smaller images leave nothing for the last of five halvings. */
const MIN_SIZE = 32;

function resolveOptions(model: ModelFile, options: ExportOptions): Required<ExportOptions> {
  const resolved: Required<ExportOptions> = {
    // Images that are floats are planes.
    layout: options.preprocessing === false ? 'nchw' : (options.layout ?? 'nhwc'),
    size: options.size ?? model.preprocessing.size,
    dynamicBatch: options.dynamicBatch ?? true,
    dynamicSize: options.dynamicSize ?? false,
    preprocessing: options.preprocessing ?? true,
    form: options.form ?? 'fused',
    precision: options.precision ?? 'fp32',
  };
  const { size, precision } = resolved;
  if (!Number.isInteger(size) || size < MIN_SIZE) {
    throw new UserError(
      `The exported size must be a whole number of at least ${MIN_SIZE}, got ${size}.`,
      'Leave it out.',
    );
  }
  if (!ONNX_PRECISIONS.includes(precision))
    throw new UserError(`ONNX files have no precision "${precision}" here.`, `Choose ${ONNX_PRECISIONS.join(' or ')}.`);
  return resolved;
}

/** Writes a model as ONNX: opset 17, IR 10. Throws a UserError for options that the model can't satisfy. */
export async function exportOnnx(model: ModelFile, options: ExportOptions = {}): Promise<ExportedModel> {
  const resolved = resolveOptions(model, options);
  const { form, size, layout, dynamicBatch, dynamicSize, preprocessing, precision } = resolved;
  if (form === 'train') requireForm(model, 'train', 'to export the train form');
  const { graph, state } = form === 'fused' ? fuse(model.graph, model.state) : model;
  const { mean, std } = model.preprocessing;
  const complete = withPreprocess(graph, { mean, std });
  const weightsHash = await hashState(state);
  const metadata = {
    'mobileone.form': form,
    'mobileone.precision': precision,
    'mobileone.task': taskOf(model),
    'mobileone.labels': JSON.stringify(model.classes),
    'mobileone.preprocessing': JSON.stringify({ ...model.preprocessing, size }),
    'mobileone.config': JSON.stringify(model.config),
    'mobileone.input': inputStatement(model, resolved),
    'mobileone.weights_sha256': weightsHash,
    ...(model.proof ? { 'mobileone.proof': JSON.stringify(model.proof) } : {}),
    ...(model.metrics ? { 'mobileone.metrics': JSON.stringify(model.metrics) } : {}),
  };
  const bytes = await toOnnx(preprocessing ? complete : graph, state, {
    dims: dynamicSize ? { N: 1 } : { N: 1, H: size, W: size },
    dynamicBatch,
    layout,
    dtype: precision === 'fp16' ? 'float16' : 'float32',
    metadata,
  });
  return {
    format: 'onnx',
    files: new Map([[MAIN, bytes]]),
    main: MAIN,
    graph: complete,
    state,
    preprocessing: { ...model.preprocessing, size },
    options: resolved,
    weightsHash,
  };
}

/** One sentence that says what to feed the model. */
export function inputStatement(model: Pick<ModelFile, 'preprocessing' | 'config'>, options: ExportOptions): string {
  const { cropPct, mean, std } = model.preprocessing;
  const size = options.size ?? model.preprocessing.size;
  const channels = model.config.in_chans;
  const batch = options.dynamicBatch === false ? '1' : 'N';
  const sides = options.dynamicSize ? 'H, W' : `${size}, ${size}`;
  const planes = options.layout === 'nchw' || options.preprocessing === false;
  const shape = planes ? `[${batch}, ${channels}, ${sides}]` : `[${batch}, ${sides}, ${channels}]`;
  const color = ['', 'gray ', '', 'RGB ', 'RGBA '][channels] ?? '';
  const geometry = `short side to ${evalGeometry(size, size, { size, cropPct }).resized.width} px (bilinear, antialiased), then the ${size} × ${size} center`;
  const resize = options.dynamicSize
    ? `Any height and width from ${MIN_SIZE} px on; resizing stays outside the model, which was checked with: ${geometry}.`
    : `Resizing stays outside the model: ${geometry}.`;
  if (options.preprocessing === false) {
    return `Input "input": float32 ${color}${shape}, (value / 255 − mean) / std with mean ${mean.join(', ')} and std ${std.join(', ')}. ${resize}`;
  }
  return `Input "image": uint8 ${color}${shape}, values 0 to 255 as decoded; normalization is inside the model. ${resize}`;
}

/** sha256 over names, shapes and float32 values, in the order of the names. */
export async function hashState(state: StateDict): Promise<string> {
  const names = [...state.keys()].sort();
  const heads = names.map((name) => new TextEncoder().encode(`${name}[${state.get(name)!.shape.join(',')}]`));
  const all = new Uint8Array(
    heads.reduce((sum, { length }) => sum + length, 0) +
      names.reduce((sum, name) => sum + 4 * sizeOf(state.get(name)!.shape), 0),
  );
  let at = 0;
  names.forEach((name, i) => {
    const values = Float32Array.from(state.get(name)!.data);
    for (const bytes of [heads[i]!, new Uint8Array(values.buffer)]) {
      all.set(bytes, at);
      at += bytes.length;
    }
  });
  return await sha256(all);
}

/** sha256 of bytes, in hexadecimal. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await globalThis.crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
