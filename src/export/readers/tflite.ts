/**
 * The readers of TFLite files. There is none for Node: LiteRT.js is made for pages, and loads in Node only behind the stand-ins of
 * `src/engine/litert-node.ts`; there `mobileone predict` runs the file.
 */
import type { Reader } from './reader.ts';
import { TFLITE_KOTLIN } from './tflite-kotlin.ts';
import { TFLITE_PYTHON } from './tflite-python.ts';

export const TFLITE_READERS: readonly Reader[] = [TFLITE_KOTLIN, TFLITE_PYTHON];
