/** Core ML: a `.mlpackage` folder with an ML Program (iOS 15, macOS 12 and later) that takes pictures and names classes. */
import { type ModelFile, requireForm } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import { VERSION } from '../../core/version.ts';
import { toCoreml } from '../../engine/coreml/to-coreml.ts';
import { evalGeometry } from '../../images/preprocess.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { fuse } from '../../reparam/fuse.ts';
import type { ExportedModel, ExportOptions, Format } from '../format.ts';
import { hashState, taskOf } from '../onnx/write.ts';
import { openCoreml } from './runner.ts';

/** Name of the folder inside a bundle. */
const MAIN = 'model.mlpackage';

export const COREML: Format = {
  name: 'coreml',
  title: 'Core ML',
  precisions: ['fp16', 'fp32'],
  ignores: ['layout'],
  encode: encodeCoreml,
  open: openCoreml,
};

/** Defaults filled in; throws a UserError for what a Core ML model of pictures can't be. */
function resolve(model: ModelFile, options: ExportOptions): Required<ExportOptions> {
  if (options.dynamicBatch)
    throw new UserError(
      "A Core ML model takes one picture at a time; its batch size can't be left open.",
      'Leave dynamicBatch out; on the device, predictions(fromBatch:) runs many pictures at once.',
    );
  if (options.dynamicSize)
    throw new UserError(
      "Core ML files are written for one size of picture; it can't be left open.",
      'Export once for each size that is needed (--size).',
    );
  if (options.layout === 'nhwc')
    throw new UserError(
      'Core ML takes pictures as pixel buffers and arrays as [1, channels, height, width]; there is no other layout.',
      'Leave --layout out.',
    );
  const { size = model.preprocessing.size, precision = 'fp16', form = 'fused', preprocessing = true } = options;
  if (!Number.isInteger(size) || size < 32)
    throw new UserError(`The exported size must be a whole number of at least 32, got ${size}.`, 'Leave it out.');
  if (!COREML.precisions.includes(precision))
    throw new UserError(`Core ML files are fp16 or fp32, not ${precision}.`, 'Leave --precision out for fp16.');
  return { layout: 'nchw', size, dynamicBatch: false, dynamicSize: false, preprocessing, form, precision };
}

async function encodeCoreml(model: ModelFile, options: ExportOptions = {}): Promise<ExportedModel> {
  const resolved = resolve(model, options);
  const { form, size, preprocessing, precision } = resolved;
  if (form === 'train') requireForm(model, 'train', 'to export the train form');
  const { graph, state } = form === 'fused' ? fuse(model.graph, model.state) : model;
  const { mean, std } = model.preprocessing;
  const complete = withPreprocess(graph, { mean, std });
  const weightsHash = await hashState(state);
  const input = inputStatement(model, resolved);
  const labels = distinct(model.classes);
  const several = taskOf(model) === 'multi_label_classification';
  const files = await toCoreml(preprocessing ? complete : graph, state, {
    dims: { N: 1, H: size, W: size },
    type: precision,
    decision: { labels, answer: several ? 'several' : 'one' },
    descriptions: {
      image: input,
      input,
      classLabel: 'The likeliest class.',
      classLabel_probs: 'The probability of every class (softmax).',
      probabilities: 'The probability of every class, each on its own (sigmoid), in the order of mobileone.labels.',
      logits: `The ${labels.length} logits, in the order of mobileone.labels.`,
    },
    metadata: {
      shortDescription: `${nameOf(model)}, ${labels.length} classes. ${input}`,
      // The same weights have the same version.
      versionString: weightsHash.slice(0, 12),
      ...(model.info.author ? { author: model.info.author } : {}),
      ...(model.info.license ? { license: model.info.license } : {}),
      userDefined: {
        'mobileone.created_with': `mobileone ${VERSION}`,
        'mobileone.form': form,
        'mobileone.task': taskOf(model),
        'mobileone.labels': JSON.stringify(model.classes),
        'mobileone.preprocessing': JSON.stringify({ ...model.preprocessing, size }),
        'mobileone.config': JSON.stringify(model.config),
        'mobileone.input': input,
        'mobileone.weights_sha256': weightsHash,
        ...(model.proof ? { 'mobileone.proof': JSON.stringify(model.proof) } : {}),
        ...(model.metrics ? { 'mobileone.metrics': JSON.stringify(model.metrics) } : {}),
      },
    },
  });
  return {
    format: COREML.name,
    files: new Map([...files].map(([path, bytes]) => [`${MAIN}/${path}`, bytes])),
    main: MAIN,
    input,
    // Core ML knows gray and RGB pictures; of other channels there are arrays, of 0 to 255 where the file normalizes.
    takes: preprocessing && [1, 3].includes(model.config.in_chans) ? 'picture' : 'float32',
    graph: complete,
    state,
    preprocessing: { ...model.preprocessing, size },
    options: resolved,
    weightsHash,
  };
}

const nameOf = ({ variant }: ModelFile): string => (variant ? `MobileOne-${variant.toUpperCase()}` : 'MobileOne');

/** One sentence that says what to feed the model. */
function inputStatement(
  { preprocessing: { cropPct, mean, std }, config: { in_chans } }: ModelFile,
  { size, preprocessing }: Required<ExportOptions>,
): string {
  const short = evalGeometry(size, size, { size, cropPct }).resized.width;
  const outside = `Scale the short side to ${short} px (bilinear, antialiased) and take the ${size} × ${size} center.`;
  const array = `float32 [1, ${in_chans}, ${size}, ${size}]`;
  if (!preprocessing)
    return `${array}, (value / 255 − mean) / std with mean ${mean.join(', ')} and std ${std.join(', ')}. ${outside}`;
  const picture = { 1: 'A gray picture', 3: 'An RGB picture' }[in_chans];
  return picture
    ? `${picture}, ${size} × ${size}; normalization is inside the model. ${outside}`
    : `${array}, values 0 to 255 as decoded; normalization is inside the model. ${outside}`;
}

/** Labels of a classifier must differ: those that occur twice (ImageNet has two cranes) get their number behind them. */
export function distinct(classes: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const name of classes) counts.set(name, (counts.get(name) ?? 0) + 1);
  const taken = new Set(classes);
  return classes.map((name, i) => {
    if (counts.get(name) === 1) return name;
    let own = `${name} (${i})`;
    while (taken.has(own)) own += ` (${i})`;
    taken.add(own);
    return own;
  });
}
