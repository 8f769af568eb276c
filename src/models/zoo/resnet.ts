import { graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { activate, classifier, conv } from './layers.ts';

export interface ResNetConfig {
  readonly depths: readonly [number, number, number, number];
  /** Pointwise, 3×3, pointwise to four times the channels, instead of two 3×3. */
  readonly bottleneck: boolean;
}

const RELU = { act: 'relu' } as const;

/** ResNet (arXiv 1512.03385, Table 1); the stride of a bottleneck is in its 3×3 convolution, as in torchvision's and timm's code. */
export function resNet({ depths, bottleneck }: ResNetConfig): Graph {
  const g = graphBuilder('resnet');
  const image = g.input('input', ['N', 3, 'H', 'W']);
  const stem = conv(g, 'conv1', image, [3, 64], { kernel: 7, stride: 2, ...RELU });
  const pool = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } as const;
  let x = g.op('MaxPool', 'maxpool', [stem], pool);
  let from = 64;

  const block = (path: string, width: number, stride: number): void => {
    const to = bottleneck ? 4 * width : width;
    let y = x;
    if (bottleneck) {
      y = conv(g, `${path}.conv1`, y, [from, width], RELU);
      y = conv(g, `${path}.conv2`, y, [width, width], { kernel: 3, stride, ...RELU });
      y = conv(g, `${path}.conv3`, y, [width, to]);
    } else {
      y = conv(g, `${path}.conv1`, y, [from, width], { kernel: 3, stride, ...RELU });
      y = conv(g, `${path}.conv2`, y, [width, to], { kernel: 3 });
    }
    const shortcut = from === to && stride === 1 ? x : conv(g, `${path}.downsample.0`, x, [from, to], { stride });
    x = activate(g, `${path}.act`, g.op('Add', `${path}.add`, [y, shortcut], {}), 'relu');
    from = to;
  };
  depths.forEach((depth, s) => {
    for (let b = 0; b < depth; b++) block(`layer${s + 1}.${b}`, 64 << s, b === 0 && s > 0 ? 2 : 1);
  });
  return g.build({ logits: classifier(g, 'fc', x, from) });
}
