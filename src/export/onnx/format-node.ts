/** ONNX as an export format, run by ONNX Runtime. */
import { UserError } from '../../core/errors.ts';
import { type OrtRuntime, openOnnx } from '../../engine/onnx/session-node.ts';
import type { Format } from '../format.ts';
import { describeFile } from './classifier-node.ts';
import { runFile } from './verify-node.ts';
import { exportOnnx } from './write.ts';

const MAIN = 'model.onnx';

export const ONNX: Format = {
  name: 'onnx',
  title: 'ONNX',
  precisions: ['fp32'],
  async encode(model, options = {}) {
    if (options.dynamicSize)
      throw new UserError(
        'ONNX files are written for one image size.',
        'Leave out --dynamic-size, or choose a --size.',
      );
    const { bytes, ...rest } = await exportOnnx(model, options);
    // Images that are floats are planes, whatever the layout.
    const layout = rest.options.preprocessing ? rest.options.layout : 'nchw';
    return {
      ...rest,
      format: ONNX.name,
      files: new Map([[MAIN, bytes]]),
      main: MAIN,
      options: { ...rest.options, layout, dynamicSize: false, precision: 'fp32' },
    };
  },
  async open(files, main, { threads = 1, runtime = 'node' } = {}) {
    const bytes = files.get(main)!;
    const { input } = await describeFile(main, bytes);
    const session = await openOnnx(bytes, { runtime: runtime as OrtRuntime, threads });
    return {
      description: session.description,
      logits: (images) => runFile(session, input, images),
      dispose: () => session.dispose(),
    };
  },
};
