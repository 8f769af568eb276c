import { graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { classifier, conv } from './layers.ts';

const RELU = { act: 'relu' } as const;

/** ShuffleNetV2 (arXiv 1807.11164, Table 5); layers and names are torchvision's. `channels`: of stages 2 to 4 and of the last convolution. */
export function shuffleNetV2({ channels }: { readonly channels: readonly [number, number, number, number] }): Graph {
  const g = graphBuilder('shufflenetv2');
  const image = g.input('input', ['N', 3, 'H', 'W']);
  const stem = conv(g, 'conv1.0', image, [3, 24], { kernel: 3, stride: 2, ...RELU });
  const pool = { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] } as const;
  let x = g.op('MaxPool', 'maxpool', [stem], pool);
  let from = 24;

  /** Pointwise, depthwise, pointwise. */
  const branch = (path: string, y: string, input: number, half: number, stride: number): string => {
    let z = conv(g, `${path}.0`, y, [input, half], RELU);
    z = conv(g, `${path}.3`, z, [half, half], { kernel: 3, stride, depthwise: true });
    return conv(g, `${path}.5`, z, [half, half], RELU);
  };
  /** Half of the channels pass by; with a stride, all are computed twice. */
  const unit = (path: string, to: number, stride: number): void => {
    const half = to / 2;
    let parts: [string, string];
    if (stride === 1) {
      const [kept, other] = g.split(`${path}.split`, x, [half, half]) as [string, string];
      parts = [kept, branch(`${path}.branch2`, other, half, half, 1)];
    } else {
      const depthwise = conv(g, `${path}.branch1.0`, x, [from, from], { kernel: 3, stride, depthwise: true });
      parts = [
        conv(g, `${path}.branch1.2`, depthwise, [from, half], RELU),
        branch(`${path}.branch2`, x, from, half, stride),
      ];
    }
    const joined = g.op('Concat', `${path}.concat`, parts, { axis: 1 });
    x = g.op('ChannelShuffle', `${path}.shuffle`, [joined], { groups: 2 });
    from = to;
  };
  [4, 8, 4].forEach((repeats, s) => {
    for (let i = 0; i < repeats; i++) unit(`stage${s + 2}.${i}`, channels[s]!, i === 0 ? 2 : 1);
  });
  x = conv(g, 'conv5.0', x, [from, channels[3]], RELU);
  return g.build({ logits: classifier(g, 'fc', x, channels[3]) });
}
