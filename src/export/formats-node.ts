/** The export formats: the one place where they are named. */
import { closestMatch, UserError } from '../core/errors.ts';
import { COREML } from './coreml/format.ts';
import type { Format } from './format.ts';
import { ONNX } from './onnx/format-node.ts';
import { COREML_READERS } from './readers/coreml.ts';
import { ONNX_READERS } from './readers/onnx.ts';
import type { Reader } from './readers/reader.ts';
import { SAFETENSORS_READERS } from './readers/safetensors.ts';
import { TFLITE_READERS } from './readers/tflite.ts';
import { SAFETENSORS } from './safetensors/format-node.ts';
import { TFLITE } from './tflite/format-node.ts';
import { WEB } from './web/format-node.ts';

/** In the order in which help and messages name them; the first is what is written when none is named. */
export const FORMATS: readonly Format[] = [ONNX, TFLITE, COREML, WEB, SAFETENSORS];

/** Small programs that run a format's file, for the bundle. A format that brings its own, or has none, is not here. */
const READERS: ReadonlyMap<Format, readonly Reader[]> = new Map([
  [ONNX, ONNX_READERS],
  [TFLITE, TFLITE_READERS],
  [COREML, COREML_READERS],
  [SAFETENSORS, SAFETENSORS_READERS],
]);

/** The readers of a format, by its name. */
export function readersOf(name: string): readonly Reader[] {
  return READERS.get(formatNamed(name)) ?? [];
}

/** The format of a name; a UserError with the nearest one, if there is none of that name. */
export function formatNamed(name: string): Format {
  const found = FORMATS.find((format) => format.name === name.toLowerCase());
  if (found) return found;
  const names = FORMATS.map((format) => format.name);
  const near = closestMatch(name, names);
  throw new UserError(
    `There is no format "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose of ${names.join(', ')}.`,
    2,
  );
}

/** The formats of a list with commas, each once. */
export function formatsNamed(list: string): Format[] {
  const names = list.split(',').map((name) => name.trim());
  const formats = [...new Set(names.filter((name) => name !== '').map(formatNamed))];
  if (formats.length === 0)
    throw new UserError(`"${list}" names no format.`, `Choose of ${FORMATS.map(({ name }) => name).join(', ')}.`, 2);
  return formats;
}
