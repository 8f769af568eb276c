import { graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { classifier, conv, makeDivisible } from './layers.ts';

/** Reduction, channels, repeats, stride. */
const STAGES = [
  [2, 96, 1, 2],
  [6, 144, 1, 1],
  [6, 192, 3, 2],
  [6, 288, 3, 2],
  [6, 384, 4, 1],
  [6, 576, 4, 2],
  [6, 960, 3, 1],
  [6, 1280, 1, 1],
] as const;

const DEPTHWISE = { kernel: 3, depthwise: true } as const;

/**
 * MobileNeXt (arXiv 2007.02269), as the authors' code (yitu-opensource/MobileNeXt, `mnext.py`) has it: a sandglass block that
 * changes its channels has no first depthwise convolution, and one that does not change its size then has none at all.
 */
export function mobileNeXt({ width = 1 }: { readonly width?: number } = {}): Graph {
  const g = graphBuilder('mobilenext');
  let channels = makeDivisible(32 * width);
  const image = g.input('input', ['N', 3, 'H', 'W']);
  let x = conv(g, 'features.0.0', image, [3, channels], { kernel: 3, stride: 2, act: 'relu6' });

  /** Depthwise, pointwise down, pointwise up, depthwise; numbered as in the authors' Sequential. */
  const sandglass = (path: string, to: number, stride: number, reduction: number, both: boolean): void => {
    const [input, from] = [x, channels];
    const sixth = makeDivisible(Math.ceil(to / 6), 16);
    const reduced = Math.floor(from / reduction) < to / 6 ? sixth : Math.floor(from / reduction);
    if (both) x = conv(g, `${path}.0`, x, [from, from], { ...DEPTHWISE, act: 'relu6' });
    const at = both ? 3 : 0;
    x = conv(g, `${path}.${at}`, x, [from, reduced]);
    x = conv(g, `${path}.${at + 2}`, x, [reduced, to], { act: 'relu6' });
    if (both || stride === 2) x = conv(g, `${path}.${at + 5}`, x, [to, to], { ...DEPTHWISE, stride });
    if (both && from === to && stride === 1) x = g.op('Add', `${path}.add`, [x, input], {});
    channels = to;
  };
  let block = 1;
  for (const [reduction, base, repeats, stride] of STAGES) {
    const to = makeDivisible(base * width);
    for (let i = 0; i < repeats; i++) {
      const alone = repeats === 1 && stride === 1;
      const both = reduction === 2 || channels === to || alone;
      sandglass(`features.${block++}.conv`, to, i === 0 ? stride : 1, reduction, both);
    }
  }
  return g.build({ logits: classifier(g, 'classifier.1', x, channels) });
}
