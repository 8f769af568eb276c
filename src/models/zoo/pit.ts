import { graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { CLASSES, conv } from './layers.ts';
import { encoderBlock, layerNorm, learned, linearLayer, toImage, tokenClassifier, toTokens } from './tokens.ts';

const STAGES = [
  { depth: 2, heads: 2 },
  { depth: 6, heads: 4 },
  { depth: 4, heads: 8 },
];
const HEAD = 32;
const EPSILON = 1e-6;

/** PiT-ti (arXiv 2103.16302, Table 2): a vision transformer whose image is halved, and its channels doubled, between stages. */
export function pitTi(): Graph {
  const g = graphBuilder('pit_ti_224');
  let channels = STAGES[0]!.heads * HEAD;
  const input = g.input('input', ['N', 3, 224, 224]);
  const patches = conv(g, 'patch_embed.conv', input, [3, channels], { kernel: 16, stride: 8, pad: 0 });
  let image = g.op('Add', 'pos_embed.add', [patches, learned(g, 'pos_embed', [1, channels, 27, 27])], {});
  let cls = learned(g, 'cls_token', [1, 1, channels], image);

  STAGES.forEach(({ depth, heads }, s) => {
    const path = `transformers.${s}`;
    const to = heads * HEAD;
    if (s > 0) {
      image = conv(g, `${path}.pool.conv`, image, [channels, to], { kernel: 3, stride: 2, depthwise: true });
      cls = linearLayer(g, `${path}.pool.fc`, cls, [channels, to]);
      channels = to;
    }
    let x = g.op('Concat', `${path}.concat`, [cls, toTokens(g, `${path}.tokens`, image)], { axis: 1 });
    const block = { channels, heads, mlpRatio: 4, act: 'gelu', epsilon: EPSILON } as const;
    for (let b = 0; b < depth; b++) x = encoderBlock(g, `${path}.blocks.${b}`, x, block);
    cls = g.op('Slice', `${path}.cls_token`, [x], { axis: 1, start: 0, end: 1 });
    if (s === STAGES.length - 1) return;
    const side = Math.ceil(27 / 2 ** s);
    const others = g.op('Slice', `${path}.others`, [x], { axis: 1, start: 1, end: 1 + side * side });
    image = toImage(g, `${path}.image`, others, image);
  });
  return g.build({
    logits: tokenClassifier(g, 'head', layerNorm(g, 'norm', cls, channels, EPSILON), channels, CLASSES),
  });
}
