import { graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { CLASSES, conv } from './layers.ts';
import { encoderBlock, layerNorm, learned, tokenClassifier, toTokens } from './tokens.ts';

const BLOCK = { channels: 192, heads: 3, mlpRatio: 4, act: 'gelu', epsilon: 1e-6 } as const;
/** Tokens: patches of 16 × 16 pixels, and the class token. */
const TOKENS = 14 * 14 + 1;

/** DeiT-tiny (arXiv 2012.12877, Table 1) without distillation token: a plain vision transformer of 12 blocks. */
export function deitTiny(): Graph {
  const { channels, epsilon } = BLOCK;
  const g = graphBuilder('deit_tiny_patch16_224');
  const image = g.input('input', ['N', 3, 224, 224]);
  const patches = conv(g, 'patch_embed.proj', image, [3, channels], { kernel: 16, stride: 16, pad: 0 });
  const cls = learned(g, 'cls_token', [1, 1, channels], patches);
  const tokens = g.op('Concat', 'cls_token.concat', [cls, toTokens(g, 'patch_embed', patches)], { axis: 1 });
  let x = g.op('Add', 'pos_embed.add', [tokens, learned(g, 'pos_embed', [1, TOKENS, channels])], {});
  for (let b = 0; b < 12; b++) x = encoderBlock(g, `blocks.${b}`, x, BLOCK);
  return g.build({ logits: tokenClassifier(g, 'head', layerNorm(g, 'norm', x, channels, epsilon), channels, CLASSES) });
}
