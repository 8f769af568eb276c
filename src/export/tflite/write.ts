/** A trained model as a TFLite file that carries its labels, its preprocessing and what is known about it. */
import { type ModelFile, requireForm } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import { VERSION } from '../../core/version.ts';
import { toTflite } from '../../engine/tflite/to-tflite.ts';
import { evalGeometry } from '../../images/preprocess.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { fuse } from '../../reparam/fuse.ts';
import type { ExportedModel, ExportOptions } from '../format.ts';
import { hashState, taskOf } from '../onnx/write.ts';
import { DESCRIPTION_NAME, encodeMetadata, LABELS, labelLines, METADATA_NAME } from './metadata.ts';
import { appendFiles } from './zip.ts';

const FILE = 'model.tflite';

/** Writes a model as TFLite. Throws a UserError for options that the format or the model can't satisfy. */
export async function exportTflite(model: ModelFile, options: ExportOptions = {}): Promise<ExportedModel> {
  const resolved = resolveOptions(model, options);
  const { form, size, preprocessing, precision } = resolved;
  const { graph, state } = form === 'fused' ? fuse(model.graph, model.state) : model;
  const { mean, std } = model.preprocessing;
  const complete = withPreprocess(graph, { mean, std });
  const weightsHash = await hashState(state);
  const statement = inputStatement(model, resolved);
  const description = {
    form,
    precision,
    task: taskOf(model),
    labels: model.classes,
    preprocessing: { ...model.preprocessing, size },
    config: model.config,
    input: statement,
    weights_sha256: weightsHash,
    created_with: `mobileone ${VERSION}`,
    proof: model.proof,
    metrics: model.metrics,
  };
  const bytes = await toTflite(preprocessing ? complete : graph, state, {
    dims: { N: 1, H: size, W: size },
    precision,
    metadata: {
      [METADATA_NAME]: await encodeMetadata(model, resolved, statement),
      [DESCRIPTION_NAME]: JSON.stringify(description),
    },
  });
  const packed = appendFiles(bytes, { [LABELS]: new TextEncoder().encode(labelLines(model.classes)) });
  return {
    format: 'tflite',
    files: new Map([[FILE, packed]]),
    main: FILE,
    input: statement,
    graph: complete,
    state,
    preprocessing: { ...model.preprocessing, size },
    options: resolved,
    weightsHash,
  };
}

function resolveOptions(model: ModelFile, options: ExportOptions): Required<ExportOptions> {
  const resolved: Required<ExportOptions> = {
    layout: options.layout ?? 'nhwc',
    size: options.size ?? model.preprocessing.size,
    dynamicBatch: options.dynamicBatch ?? false,
    dynamicSize: options.dynamicSize ?? false,
    preprocessing: options.preprocessing ?? true,
    form: options.form ?? 'fused',
    precision: options.precision ?? 'fp32',
  };
  const { layout, size, dynamicBatch, dynamicSize, form } = resolved;
  if (layout !== 'nhwc')
    throw new UserError('TFLite images are [1, height, width, channels].', 'Leave the layout out, or choose nhwc.');
  if (dynamicBatch)
    throw new UserError(
      'TFLite files take one image a run: LiteRT.js, which checks them, runs no file whose batch is open.',
      'Leave it out. On Android and in Python, the Interpreter runs more at once after resizeInput(0, [n, height, width, channels]).',
    );
  if (dynamicSize)
    throw new UserError(
      'TFLite files have a fixed size: which pixels a strided convolution pads depends on it.',
      'Leave it out, and export one file a size (size).',
    );
  if (!Number.isInteger(size) || size < 32)
    throw new UserError(`The exported size must be a whole number of at least 32, got ${size}.`, 'Leave it out.');
  if (form === 'train') requireForm(model, 'train', 'to export the train form');
  return resolved;
}

/** One sentence that says what to feed the model, and one what to do with images before. */
function inputStatement(
  { preprocessing, config }: Pick<ModelFile, 'preprocessing' | 'config'>,
  { size, preprocessing: inside }: Required<ExportOptions>,
): string {
  const { cropPct, mean, std } = preprocessing;
  const color = ['', 'gray ', '', 'RGB ', 'RGBA '][config.in_chans] ?? '';
  const image = `${color}[1, ${size}, ${size}, ${config.in_chans}]`;
  const { width } = evalGeometry(size, size, { size, cropPct }).resized;
  const resize = `Resizing stays outside the model: short side to ${width} px (bilinear, antialiased), then the ${size} × ${size} center.`;
  return inside
    ? `Input "image": uint8 ${image}, values 0 to 255 as decoded; normalization is inside the model. ${resize}`
    : `Input "input": float32 ${image}, (value / 255 − mean) / std with mean ${mean.join(', ')} and std ${std.join(', ')}. ${resize}`;
}
