/** The weights alone, under timm's names with our description, as a format that our own engine runs. */
import { decodeModel, encodeModel, modelGraph, requireForm } from '../../checkpoint/model-file.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { fuse } from '../../reparam/fuse.ts';
import { formRunner } from '../../reparam/prove.ts';
import type { Format } from '../format.ts';
import { hashState } from '../onnx/write.ts';

const MAIN = 'model.safetensors';

export const SAFETENSORS: Format = {
  name: 'safetensors',
  title: 'safetensors',
  precisions: ['fp32'],
  // There is no graph in it that had an input.
  ignores: ['layout', 'dynamicBatch', 'dynamicSize', 'preprocessing'],
  async encode(model, { form = 'fused', size = model.preprocessing.size } = {}) {
    if (form === 'train') requireForm(model, 'train', 'to export the train form');
    const preprocessing = { ...model.preprocessing, size };
    const shipped = form === 'fused' ? { ...model, form, ...fuse(model.graph, model.state) } : model;
    return {
      format: SAFETENSORS.name,
      files: new Map([[MAIN, encodeModel({ ...shipped, preprocessing })]]),
      main: MAIN,
      graph: withPreprocess(shipped.graph, preprocessing),
      state: shipped.state,
      preprocessing,
      // As the network that these weights are for takes its images.
      options: {
        ...{ layout: 'nchw', size, form, precision: 'fp32' },
        ...{ dynamicBatch: true, dynamicSize: true, preprocessing: false },
      },
      weightsHash: await hashState(shipped.state),
    };
  },
  async open(files, main, { threads = 1 } = {}) {
    const model = decodeModel(files.get(main)!);
    const { nodeWasmEngine } = await import('../../engine/wasm/node.ts');
    const engine = await nodeWasmEngine({ threads });
    const graph = withPreprocess(modelGraph(model.config, model.form), model.preprocessing);
    const { logits, dispose } = formRunner(engine, { graph, state: model.state });
    return { description: `the engine ${engine.name}, ${engine.capabilities().description}`, logits, dispose };
  },
};
