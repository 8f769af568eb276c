import { type GraphBuilder, graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { CLASSES, conv } from './layers.ts';
import {
  attended,
  attentionScores,
  encoderBlock,
  layerNorm,
  learned,
  linearLayer,
  selfAttention,
  tokenClassifier,
  toTokens,
} from './tokens.ts';

const BLOCK = { channels: 192, heads: 4, mlpRatio: 4, act: 'gelu', epsilon: 1e-6 } as const;
const NO_BIAS = { bias: false } as const;
/** Patches of 16 × 16 pixels on a side. */
const SIDE = 14;
/** Blocks with positional attention; the class token comes after them. */
const [LOCAL, DEPTH] = [10, 12];

/** dx, dy and dx² + dy² from each patch to each, `[1, T, T, 3]`. */
function relativePositions(g: GraphBuilder): string {
  const value: number[] = [];
  const patches = Array.from({ length: SIDE * SIDE }, (_, i) => [i % SIDE, Math.floor(i / SIDE)] as const);
  for (const [x, y] of patches) for (const [u, v] of patches) value.push(u - x, v - y, (u - x) ** 2 + (v - y) ** 2);
  return g.op('Constant', 'rel_indices', [], { shape: [1, SIDE * SIDE, SIDE * SIDE, 3], value });
}

/**
 * Gated positional self-attention (arXiv 2103.10697, equation 7): (1 − σ(λ)) · attention to contents + σ(λ) · attention to positions.
 * The rows of both add up to 1, and so do those of the sum, by which the paper divides once more.
 */
function positionalAttention(g: GraphBuilder, name: string, x: string, positions: string): string {
  const { channels, heads } = BLOCK;
  const qk = linearLayer(g, `${name}.qk`, x, [channels, 2 * channels], NO_BIAS);
  const contents = attentionScores(
    g,
    name,
    g.split(`${name}.split`, qk, [channels, channels], 2) as [string, string],
    BLOCK,
  );
  const each = linearLayer(g, `${name}.pos_proj`, positions, [3, heads]);
  const turned = g.op('Transpose', `${name}.pos_proj.permute`, [each], { perm: [0, 3, 1, 2] });
  const places = g.op('Softmax', `${name}.pos_proj.softmax`, [turned], {});

  g.declare({ [`${name}.gating_param`]: { shape: [heads], role: 'bias' } });
  const gating = g.op('Parameter', `${name}.gating_param.value`, [], {}, { value: `${name}.gating_param` });
  const gate = g.op('Reshape', `${name}.gate.view`, [gating], { shape: [1, -1, 1, 1] });
  const minus = g.op('Constant', `${name}.gate.minus`, [], { shape: [], value: [-1] });
  // 1 − σ(λ) = σ(−λ)
  const weighed = [
    [contents, g.op('Mul', `${name}.gate.negative`, [gate, minus], {})] as const,
    [places, gate] as const,
  ].map(([scores, logit], i) => {
    const part = g.op('Sigmoid', `${name}.gate.${i}`, [logit], {});
    return g.op('Mul', `${name}.gated.${i}`, [scores, part], {});
  });
  const scores = g.op('Add', `${name}.gated`, weighed, {});
  return attended(g, name, [scores, linearLayer(g, `${name}.v`, x, [channels, channels], NO_BIAS)], BLOCK);
}

/** ConViT-tiny (arXiv 2103.10697, Table 2): a vision transformer whose first ten blocks may attend to places instead of contents. */
export function convitTiny(): Graph {
  const { channels, epsilon } = BLOCK;
  const g = graphBuilder('convit_tiny');
  const image = g.input('input', ['N', 3, 224, 224]);
  const patches = conv(g, 'patch_embed.proj', image, [3, channels], { kernel: 16, stride: 16, pad: 0 });
  const positions = relativePositions(g);
  const pos = learned(g, 'pos_embed', [1, SIDE * SIDE, channels]);
  let x = g.op('Add', 'pos_embed.add', [toTokens(g, 'patch_embed', patches), pos], {});
  for (let b = 0; b < DEPTH; b++) {
    if (b === LOCAL)
      x = g.op('Concat', 'cls_token.concat', [learned(g, 'cls_token', [1, 1, channels], x), x], { axis: 1 });
    x = encoderBlock(g, `blocks.${b}`, x, {
      ...BLOCK,
      attention: (name, tokens) =>
        b < LOCAL ? positionalAttention(g, name, tokens, positions) : selfAttention(g, name, tokens, BLOCK, NO_BIAS),
    });
  }
  return g.build({ logits: tokenClassifier(g, 'head', layerNorm(g, 'norm', x, channels, epsilon), channels, CLASSES) });
}
