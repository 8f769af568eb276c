import type { Format } from '../format.ts';
import { openOnnxRunner } from './runner-node.ts';
import { exportOnnx, ONNX_PRECISIONS } from './write.ts';

/** ONNX, for ONNX Runtime everywhere and whatever else reads it. Runtimes: `node` (native) and `web` (WebAssembly). */
export const ONNX: Format = {
  name: 'onnx',
  title: 'ONNX',
  precisions: ONNX_PRECISIONS,
  encode: exportOnnx,
  open: (files, main, options) => openOnnxRunner(files.get(main)!, main, options),
};
