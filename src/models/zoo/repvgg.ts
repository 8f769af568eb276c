import { graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { classifierHead } from '../heads.ts';
import { blockAttrs, type Four } from '../mobileone.ts';

export interface RepVggConfig {
  readonly depths: Four;
  /** Width multipliers of the stages' 64, 128, 256, 512 channels. */
  readonly widths: Four;
}

export const REPVGG: Readonly<Record<'a0' | 'a1' | 'a2' | 'b0' | 'b1', RepVggConfig>> = {
  a0: { depths: [2, 4, 14, 1], widths: [0.75, 0.75, 0.75, 2.5] },
  a1: { depths: [2, 4, 14, 1], widths: [1, 1, 1, 2.5] },
  a2: { depths: [2, 4, 14, 1], widths: [1.5, 1.5, 1.5, 2.75] },
  b0: { depths: [4, 6, 16, 1], widths: [1, 1, 1, 2.5] },
  b1: { depths: [4, 6, 16, 1], widths: [2, 2, 2, 4] },
};

/**
 * RepVGG (arXiv 2101.03697, Tables 2 and 3) in its train form: a block is a 3×3 and a 1×1 convolution and, where nothing changes, an
 * identity, each with BatchNorm: a dense RepConv. Fused (`fuseGraph`) it is a chain of 3×3 convolutions.
 */
export function repVgg({ depths, widths }: RepVggConfig, name = 'repvgg'): Graph {
  const g = graphBuilder(name);
  const stages = [64, 128, 256, 512].map((channels, s) => Math.floor(channels * widths[s]!));
  let channels = Math.min(64, stages[0]!);
  const block = (path: string, x: string, from: number, to: number, stride: 1 | 2): string =>
    g.op('Relu', `${path}.act`, [g.repConv(path, x, blockAttrs(from, to, 3, { stride }))], {});
  let x = block('stem', g.input('input', ['N', 3, 'H', 'W']), 3, channels, 2);
  depths.forEach((depth, s) => {
    for (let b = 0; b < depth; b++) {
      x = block(`stages.${s}.${b}`, x, channels, stages[s]!, b === 0 ? 2 : 1);
      channels = stages[s]!;
    }
  });
  return g.build({ logits: classifierHead(g, 'head', x, channels, 1000) });
}
