/** A small model of three kinds of fruit, with weights that were never trained. */
import type { ModelFile } from '../../../src/checkpoint/model-file.ts';
import { random } from '../../../src/core/random.ts';
import { sizeOf, type Tensor } from '../../../src/core/tensor.ts';
import { initialState } from '../../../src/models/init.ts';
import { mobileOne, VARIANTS } from '../../../src/models/mobileone.ts';

const config = {
  ...VARIANTS.s0,
  depths: [1, 1, 1, 1],
  widths: [0.2, 0.1, 0.1, 0.1],
  num_conv_branches: 2,
  num_classes: 3,
} as const;
const graph = mobileOne(config);

export const fruit: ModelFile = {
  config,
  form: 'train',
  classes: ['apple', 'pear', 'plum'],
  preprocessing: {
    size: 32,
    cropPct: 0.875,
    interpolation: 'bilinear',
    mean: [0.5, 0.5, 0.5],
    std: [0.25, 0.25, 0.25],
  },
  graph,
  state: initialState(graph, 7),
  metrics: { top1: 91.25 },
  info: {},
};

/** Random uint8 images. */
export function photos(shape: readonly number[]): Tensor {
  const rng = random(1);
  return { shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => rng.int(256)) };
}
