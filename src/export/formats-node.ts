/** The registry of export formats. */
import type { Format } from './format.ts';
import { ONNX } from './onnx/format-node.ts';

/** Every format that a model can be exported to, the default first. */
export const FORMATS: readonly Format[] = [ONNX];

/** Endings of files that are not the name of their format. */
const ENDINGS: Readonly<Record<string, string>> = { mlpackage: 'coreml' };

/** The format that a path's ending names, e.g. of `model.onnx`; undefined for others. */
export function formatOf(path: string): Format | undefined {
  const ending = /\.([a-z0-9]+)[\\/]?$/i.exec(path)?.[1]?.toLowerCase() ?? '';
  return FORMATS.find(({ name }) => name === (ENDINGS[ending] ?? ending));
}
