import { convAttrs, type GraphBuilder, graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { CLASSES, classifier, conv } from './layers.ts';
import { encoderBlock, layerNorm, toImage, toTokens } from './tokens.ts';

export interface MobileVitConfig {
  /** Channels of the five stages. */
  readonly channels: readonly [number, number, number, number, number];
  /** Channels of the tokens in the last three. */
  readonly tokens: readonly [number, number, number];
  /** Of the inverted residuals. */
  readonly expand: number;
  /** Channels before the pooling. */
  readonly features: number;
}

export const MOBILEVIT: Readonly<Record<'xxs' | 'xs' | 's', MobileVitConfig>> = {
  xxs: { channels: [16, 24, 48, 64, 80], tokens: [64, 80, 96], expand: 2, features: 320 },
  xs: { channels: [32, 48, 64, 80, 96], tokens: [96, 120, 144], expand: 4, features: 384 },
  s: { channels: [32, 64, 96, 128, 160], tokens: [144, 192, 240], expand: 4, features: 640 },
};

/** Inverted residuals of a stage, and blocks of the transformer behind them. */
const STAGES = [
  { stride: 1, repeats: 1, depth: 0 },
  { stride: 2, repeats: 3, depth: 0 },
  { stride: 2, repeats: 1, depth: 2 },
  { stride: 2, repeats: 1, depth: 4 },
  { stride: 2, repeats: 1, depth: 3 },
];
const STEM = 16;
const PATCH = 2;
const SWISH = { act: 'swish' } as const;

function invertedResidual(
  g: GraphBuilder,
  path: string,
  x: string,
  [from, to, stride, expand]: readonly [number, number, number, number],
): string {
  const middle = from * expand;
  let y = conv(g, `${path}.conv1_1x1.conv`, x, [from, middle], SWISH);
  y = conv(g, `${path}.conv2_kxk.conv`, y, [middle, middle], { kernel: 3, stride, depthwise: true, ...SWISH });
  y = conv(g, `${path}.conv3_1x1.conv`, y, [middle, to]);
  return from === to && stride === 1 ? g.op('Add', `${path}.add`, [y, x], {}) : y;
}

/**
 * MobileViT's block (arXiv 2110.02178, Figure 1b): pixels at the same place of patches of 2 × 2 attend to each other, so that an image
 * `[N, C, H, W]` is four sets of H · W / 4 tokens. Both sides must be even.
 */
function mobileVitBlock(
  g: GraphBuilder,
  path: string,
  image: string,
  [channels, tokens, depth]: readonly [number, number, number],
): string {
  const local = conv(g, `${path}.conv_kxk.conv`, image, [channels, channels], { kernel: 3, ...SWISH });
  const weight = `${path}.conv_1x1.weight`;
  g.declare({ [weight]: { shape: [tokens, channels, 1, 1], role: 'weight' } });
  const wide = g.op('Conv', `${path}.conv_1x1`, [local], convAttrs(1), { weight });

  const blocks = g.op('SpaceToDepth', `${path}.unfold`, [wide], { blocksize: PATCH });
  const sets = g.op('Reshape', `${path}.sets`, [blocks], { shape: [-1, tokens, 0, 0] });
  let x = toTokens(g, `${path}.tokens`, sets);
  const block = { channels: tokens, heads: 4, mlpRatio: 2, epsilon: 1e-5, ...SWISH };
  for (let b = 0; b < depth; b++) x = encoderBlock(g, `${path}.transformer.${b}`, x, block);
  const back = toImage(g, `${path}.image`, layerNorm(g, `${path}.norm`, x, tokens, 1e-5), sets);
  const joined = g.op('Reshape', `${path}.joined`, [back], { shape: [-1, tokens * PATCH ** 2, 0, 0] });
  const folded = g.op('DepthToSpace', `${path}.fold`, [joined], { blocksize: PATCH });

  const projected = conv(g, `${path}.conv_proj.conv`, folded, [tokens, channels], SWISH);
  const both = g.op('Concat', `${path}.concat`, [image, projected], { axis: 1 });
  return conv(g, `${path}.conv_fusion.conv`, both, [2 * channels, channels], { kernel: 3, ...SWISH });
}

/** MobileViT (arXiv 2110.02178, Table 4): convolutions, and transformers at strides 8, 16 and 32. */
export function mobileVit({ channels, tokens, expand, features }: MobileVitConfig, name = 'mobilevit'): Graph {
  const g = graphBuilder(name);
  let x = conv(g, 'stem.conv', g.input('input', ['N', 3, 'H', 'W']), [3, STEM], { kernel: 3, stride: 2, ...SWISH });
  let from = STEM;
  STAGES.forEach(({ stride, repeats, depth }, s) => {
    const to = channels[s]!;
    for (let b = 0; b < repeats; b++) {
      x = invertedResidual(g, `stages.${s}.${b}`, x, [from, to, b === 0 ? stride : 1, expand]);
      from = to;
    }
    if (depth > 0) x = mobileVitBlock(g, `stages.${s}.${repeats}`, x, [to, tokens[s - 2]!, depth]);
  });
  x = conv(g, 'final_conv.conv', x, [from, features], SWISH);
  return g.build({ logits: classifier(g, 'head.fc', x, features, CLASSES) });
}
