/** A small model, images for it, and every choice of an ONNX export with every other. */
import type { ModelFile } from '../../../src/checkpoint/model-file.ts';
import { random } from '../../../src/core/random.ts';
import { sizeOf, type Tensor } from '../../../src/core/tensor.ts';
import type { ExportOptions } from '../../../src/export/format.ts';
import type { Graph } from '../../../src/graph/graph.ts';
import type { Preprocessing } from '../../../src/images/preprocess.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../../src/models/mobileone.ts';
import { lively } from './models.ts';

export const SIZE = 32;
const CONFIG: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 1, 1],
  widths: [0.2, 0.15, 0.1, 0.1],
  se_blocks: [0, 0, 1, 1],
  num_conv_branches: 2,
  num_classes: 7,
};
export const preprocessing: Preprocessing = {
  size: SIZE,
  cropPct: 0.875,
  interpolation: 'bilinear',
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
};
export const graph: Graph = mobileOne(CONFIG);
export const train: ModelFile = {
  config: CONFIG,
  form: 'train',
  classes: Array.from({ length: 7 }, (_, i) => `class ${i}`),
  preprocessing,
  graph,
  state: lively(graph, 4),
  info: {},
};
/** Random bytes. */
export function photos(shape: readonly number[], seed = 1): Tensor {
  const rng = random(seed);
  return { shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => rng.int(256)) };
}

/** Images of the exported size, and of others for where the size is open. */
export const images: readonly Tensor[] = [photos([3, SIZE, SIZE, 3]), photos([2, 47, 35, 3], 2)];

export type Choice = Required<Omit<ExportOptions, 'size'>>;
export const choices: readonly Choice[] = (['fp32', 'fp16'] as const).flatMap((precision) =>
  (['train', 'fused'] as const).flatMap((form) =>
    [true, false].flatMap((dynamicBatch) =>
      [true, false].flatMap((dynamicSize) =>
        [true, false].flatMap((inside) =>
          (inside ? (['nhwc', 'nchw'] as const) : (['nchw'] as const)).map((layout) => ({
            precision,
            form,
            dynamicBatch,
            dynamicSize,
            preprocessing: inside,
            layout,
          })),
        ),
      ),
    ),
  ),
);
/** A choice in words. */
export const nameOf = ({ precision, form, dynamicBatch, dynamicSize, preprocessing: inside, layout }: Choice): string =>
  `${precision}, ${form}, batch ${dynamicBatch ? 'open' : 1}, size ${dynamicSize ? 'open' : SIZE}, ${inside ? 'bytes' : 'floats'}, ${layout}`;
