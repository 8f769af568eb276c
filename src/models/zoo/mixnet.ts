import type { Graph } from '../../graph/graph.ts';
import { inverted, invertedResiduals, separable } from './inverted-residuals.ts';

/** Pointwise convolutions on two halves of the channels. */
const HALVES = [1, 1];
const BOTH = { expandKernels: HALVES, projectKernels: HALVES } as const;

/** MixNet-S (arXiv 1907.09595), with timm's symmetric padding. */
export function mixNetS(): Graph {
  const swish = { act: 'swish', se: 0.5 } as const;
  return invertedResiduals({
    name: 'mixnet_s',
    stem: 16,
    act: 'relu',
    stages: [
      [separable(1, 3, 1, 16)],
      [inverted(1, 3, 2, 6, 24, BOTH), inverted(1, 3, 1, 3, 24, BOTH)],
      [inverted(1, [3, 5, 7], 2, 6, 40, swish), inverted(3, [3, 5], 1, 6, 40, { ...swish, ...BOTH })],
      [
        inverted(1, [3, 5, 7], 2, 6, 80, { ...swish, se: 0.25, projectKernels: HALVES }),
        inverted(2, [3, 5], 1, 6, 80, { ...swish, se: 0.25, projectKernels: HALVES }),
      ],
      [
        inverted(1, [3, 5, 7], 1, 6, 120, { ...swish, ...BOTH }),
        inverted(2, [3, 5, 7, 9], 1, 3, 120, { ...swish, ...BOTH }),
      ],
      [
        inverted(1, [3, 5, 7, 9, 11], 2, 6, 200, swish),
        inverted(2, [3, 5, 7, 9], 1, 6, 200, { ...swish, projectKernels: HALVES }),
      ],
    ],
    head: { channels: 1536 },
  });
}
