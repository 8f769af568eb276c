/** What a TFLite file says of itself, in the words of TensorFlow's metadata format, for Android's and MediaPipe's readers. */
import type { ModelFile } from '../../checkpoint/model-file.ts';
import { VERSION } from '../../core/version.ts';
import { encodeTable, type TableValue } from '../../engine/tflite/flatbuffer.ts';
import type { ExportOptions } from '../format.ts';
import { COLOR_SPACE, METADATA_SCHEMA, TENSOR_AXIS_LABELS } from './metadata-schema.ts';

/** Name of the metadata entry that readers look for. */
export const METADATA_NAME = 'TFLITE_METADATA';
/** Name of the metadata entry with what `openTfliteClassifier` needs, as JSON. */
export const DESCRIPTION_NAME = 'mobileone';
/** Name of the file of class names packed behind the model. */
export const LABELS = 'labels.txt';

type Described = Pick<ModelFile, 'variant' | 'classes' | 'multiLabel' | 'preprocessing' | 'config'>;

/** One class name a line, in the order of the logits; a name's own line breaks become spaces. */
export function labelLines(classes: readonly string[]): string {
  return classes.map((name) => `${name.replace(/[\r\n]+/g, ' ')}\n`).join('');
}

/** The metadata as bytes; `statement` says what to feed the model. */
export async function encodeMetadata(
  model: Described,
  options: Required<ExportOptions>,
  statement: string,
): Promise<Uint8Array> {
  const { variant, multiLabel } = model;
  const meaning = multiLabel ? 'sigmoid makes each the probability of its class' : 'softmax makes them probabilities';
  const metadata: TableValue = {
    name: variant ? `MobileOne-${variant.toUpperCase()}` : 'MobileOne',
    description: `Image classifier, ${multiLabel ? 'any number of labels' : 'one class'} an image (${options.form} form).`,
    version: `mobileone ${VERSION}`,
    subgraph_metadata: [
      {
        input_tensor_metadata: [inputMetadata(model, options, statement)],
        output_tensor_metadata: [
          {
            name: 'logits',
            description: `One number a class; ${meaning}.`,
            content: { content_properties: { table: 'FeatureProperties', value: {} } },
            associated_files: [
              { name: LABELS, description: 'Class names, in the order of the logits.', type: TENSOR_AXIS_LABELS },
            ],
          },
        ],
      },
    ],
    min_parser_version: '1.0.0',
  };
  return await encodeTable(METADATA_SCHEMA, metadata);
}

/** Normalization as a reader has to do it: none where the model does it itself; else in units of bytes. */
function inputMetadata(
  { preprocessing: { mean, std }, config: { in_chans: channels } }: Described,
  { preprocessing: inside, size }: Required<ExportOptions>,
  statement: string,
): TableValue {
  const bytes = (values: readonly number[]): number[] => values.map((value) => 255 * value);
  const [shift, scale] = inside ? [mean.map(() => 0), std.map(() => 1)] : [bytes(mean), bytes(std)];
  const normalized = (byte: number): number[] => shift.map((value, c) => (byte - value) / scale[c]!);
  // One value for all channels where they agree: MediaPipe takes no others.
  const uniform = [shift, scale].every((values) => values.every((value) => value === values[0]));
  const brief = (values: readonly number[]): readonly number[] => (uniform ? values.slice(0, 1) : values);
  const color = channels === 3 ? 'RGB' : channels === 1 ? 'GRAYSCALE' : 'UNKNOWN';
  return {
    name: inside ? 'image' : 'input',
    description: statement,
    content: {
      content_properties: {
        table: 'ImageProperties',
        value: { color_space: COLOR_SPACE[color], default_size: { width: size, height: size } },
      },
    },
    process_units: [{ options: { table: 'NormalizationOptions', value: { mean: brief(shift), std: brief(scale) } } }],
    stats: { max: brief(normalized(255)), min: brief(normalized(0)) },
  };
}
