import type { Graph } from '../../graph/graph.ts';
import { type Blocks, inverted, invertedResiduals, pointwise, separable } from './inverted-residuals.ts';

const SE = 0.25;
const RELU = { act: 'relu' } as const;

const STAGES: Readonly<Record<'small' | 'large', readonly (readonly Blocks[])[]>> = {
  small: [
    [separable(1, 3, 2, 16, { se: SE, ...RELU })],
    [inverted(1, 3, 2, 4.5, 24, RELU), inverted(1, 3, 1, 3.67, 24, RELU)],
    [inverted(1, 5, 2, 4, 40, { se: SE }), inverted(2, 5, 1, 6, 40, { se: SE })],
    [inverted(2, 5, 1, 3, 48, { se: SE })],
    [inverted(3, 5, 2, 6, 96, { se: SE })],
    [pointwise(576)],
  ],
  large: [
    [separable(1, 3, 1, 16, RELU)],
    [inverted(1, 3, 2, 4, 24, RELU), inverted(1, 3, 1, 3, 24, RELU)],
    [inverted(3, 5, 2, 3, 40, { se: SE, ...RELU })],
    [inverted(1, 3, 2, 6, 80), inverted(1, 3, 1, 2.5, 80), inverted(2, 3, 1, 2.3, 80)],
    [inverted(2, 3, 1, 6, 112, { se: SE })],
    [inverted(3, 5, 2, 6, 160, { se: SE })],
    [pointwise(960)],
  ],
};

/** MobileNetV3 (arXiv 1905.02244, Tables 1 and 2; expansions as in timm's code, which has 88 for 3.67 · 24). */
export function mobileNetV3({ size }: { readonly size: 'small' | 'large' }): Graph {
  return invertedResiduals({
    name: `mobilenetv3_${size}`,
    stem: 16,
    act: 'hard_swish',
    stages: STAGES[size],
    seFrom: 'middle',
    seGate: 'hard_sigmoid',
    seAct: 'relu',
    head: { channels: size === 'small' ? 1024 : 1280, pooled: true },
  });
}
