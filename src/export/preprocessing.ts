/** `preprocessing.json`: what happens to a picture on its way to each file, and what its logits mean. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import { evalGeometry } from '../images/preprocess.ts';
import type { ExportedModel } from './format.ts';
import { type Task, taskOf } from './onnx/write.ts';

/** What makes probabilities of logits. */
export const ACTIVATIONS: Readonly<Record<Task, 'softmax' | 'sigmoid'>> = {
  single_label_classification: 'softmax',
  multi_label_classification: 'sigmoid',
};

/** How one file takes its images. */
export interface InputDescription {
  /** `picture`: what the system or the browser calls an image; `float32`, normalized inside: values 0 to 255 all the same. */
  readonly dtype: 'uint8' | 'float32' | 'picture';
  /** Of arrays. */
  readonly layout?: 'nhwc' | 'nchw';
  /** `1`, or `any` number. */
  readonly batch: 1 | 'any';
  /** Who applies the formula: the file itself, or whoever feeds it. */
  readonly normalization: 'inside' | 'outside';
}

export interface PreprocessingDescription {
  readonly resize: { readonly short_side: number; readonly filter: string };
  /** Side of the square that is cut out of the middle. */
  readonly crop: number;
  readonly channels: number;
  readonly color: string;
  readonly formula: string;
  readonly mean: readonly number[];
  readonly std: readonly number[];
  /** By the path of a file. */
  readonly inputs: Readonly<Record<string, InputDescription>>;
  readonly output: { readonly labels: string; readonly activation: 'softmax' | 'sigmoid' };
}

const COLORS: Readonly<Record<number, string>> = { 1: 'gray', 2: 'gray, alpha', 3: 'RGB', 4: 'RGBA' };

/** Describes the way of a picture into the files of a model. */
export function describePreprocessing(
  model: ModelFile,
  exports: readonly Pick<ExportedModel, 'main' | 'options' | 'preprocessing' | 'takes'>[],
): PreprocessingDescription {
  const { size, cropPct, mean, std } = exports[0]!.preprocessing;
  const channels = model.config.in_chans;
  return {
    resize: {
      short_side: evalGeometry(size, size, { size, cropPct }).resized.width,
      filter: "bilinear, antialiased: Pillow's",
    },
    crop: size,
    channels,
    color: COLORS[channels] ?? `${channels} channels`,
    formula: '(value / 255 - mean) / std',
    mean,
    std,
    inputs: Object.fromEntries(
      exports.map(({ main, options, takes }): [string, InputDescription] => [
        main,
        {
          dtype: takes ?? (options.preprocessing ? 'uint8' : 'float32'),
          ...(takes === 'picture' ? {} : { layout: options.layout }),
          batch: options.dynamicBatch ? 'any' : 1,
          normalization: options.preprocessing ? 'inside' : 'outside',
        },
      ]),
    ),
    output: { labels: 'labels.txt', activation: ACTIVATIONS[taskOf(model)] },
  };
}
