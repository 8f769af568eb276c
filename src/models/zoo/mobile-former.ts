/**
 * Mobile-Former (arXiv 2108.05895): a MobileNet over the image beside a transformer over three or four learned tokens, which look at
 * each other in every block. Layers and names are those of the authors' code (AAboys/MobileFormer, mobile_former.py and dna_blocks.py),
 * BatchNorm folded; the paper's own tables leave open what precedes what.
 */
import { convAttrs, type GraphBuilder, graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { activate, CLASSES, conv } from './layers.ts';
import { firstToken, globalBlock, globalToLocal, localToGlobal, TOKEN, tokenRelu } from './mobile-former-bridge.ts';
import { learned, linearLayer } from './tokens.ts';

/** `lite`: depthwise, pointwise, and again (MicroNet's, arXiv 2108.05894); `plain`: pointwise, depthwise, pointwise (MobileNetV2's). */
interface Block {
  readonly kind: 'lite' | 'plain';
  readonly channels: number;
  readonly stride: 1 | 2;
  /** Channels inside: as a multiple of the block's input and, in the second half of a lite block, of its output. */
  readonly expand: readonly [number, number];
  /** Whether tokens take part: in all blocks but the first, which has one half only. */
  readonly tokens: boolean;
}

interface MobileFormer {
  readonly stem: number;
  readonly tokens: number;
  /** Width of the last hidden layer. */
  readonly features: number;
  readonly blocks: readonly Block[];
}

const lite = (channels: number, stride: 1 | 2, first: number, second: number): Block => ({
  kind: 'lite',
  channels,
  stride,
  expand: [first, second],
  tokens: second > 0,
});
const plain = (channels: number, first: number): Block => ({
  kind: 'plain',
  channels,
  stride: 1,
  expand: [first, 0],
  tokens: true,
});

const VARIANTS: Readonly<Record<'52m' | '96m', MobileFormer>> = {
  '52m': {
    stem: 8,
    tokens: 3,
    features: 1024,
    blocks: [
      ...[lite(12, 2, 3, 0), plain(12, 3)],
      ...[lite(24, 2, 6, 4), plain(24, 3)],
      ...[lite(48, 2, 6, 4), plain(48, 4), plain(64, 6)],
      ...[lite(96, 2, 6, 4), plain(96, 6)],
    ],
  },
  '96m': {
    stem: 12,
    tokens: 4,
    features: 1280,
    blocks: [
      lite(12, 1, 2, 0),
      lite(16, 2, 6, 4),
      ...[lite(32, 2, 6, 4), plain(32, 3)],
      ...[lite(64, 2, 6, 4), plain(64, 4), plain(88, 6)],
      ...[lite(128, 2, 6, 4), plain(128, 6)],
    ],
  },
};

/** A depthwise 3×3 convolution into so many channels for each. */
function multiplied(g: GraphBuilder, name: string, x: string, from: number, times: number, stride: number): string {
  return g.conv(name, x, from * times, from, convAttrs(3, stride, from));
}

/** The convolutions of a block that tokens take part in. */
function convolutions(g: GraphBuilder, path: string, x: string, from: number, block: Block, tokens: string): string {
  const { kind, channels, stride, expand } = block;
  const [first, second] = [from * expand[0], channels * expand[1]];
  const act = (i: number, y: string, width: number): string => tokenRelu(g, `${path}.hyper${i}`, y, width, tokens);
  if (kind === 'plain') {
    let y = act(1, conv(g, `${path}.conv1.0`, x, [from, first]), first);
    y = act(2, conv(g, `${path}.conv2.0`, y, [first, first], { kernel: 3, stride, depthwise: true }), first);
    y = conv(g, `${path}.conv3.0`, y, [first, channels]);
    return from === channels ? g.op('Add', `${path}.skip`, [x, y], {}) : y;
  }
  const wide = act(1, multiplied(g, `${path}.conv1.0`, x, from, expand[0], stride), first);
  const y = conv(g, `${path}.conv2.0`, wide, [first, channels]);
  const again = act(3, multiplied(g, `${path}.conv3.0`, y, channels, expand[1], 1), second);
  return g.op('Add', `${path}.skip`, [conv(g, `${path}.conv4.0`, again, [second, channels]), y], {});
}

/** The first block, which no token takes part in. */
function alone(g: GraphBuilder, path: string, x: string, from: number, { channels, stride, expand }: Block): string {
  const wide = multiplied(g, `${path}.conv.0`, x, from, expand[0], stride);
  const y = conv(g, `${path}.conv.4`, activate(g, `${path}.act`, wide, 'relu6'), [from * expand[0], channels]);
  return stride === 1 && from === channels ? g.op('Add', `${path}.skip`, [x, y], {}) : y;
}

/** Mobile-Former-52M or -96M: image `[N, 3, H, W]` → `logits` `[N, 1000]`. */
export function mobileFormer(variant: '52m' | '96m'): Graph {
  const { stem, tokens: count, features, blocks } = VARIANTS[variant];
  const g = graphBuilder(`mobile_former_${variant}`);
  const image = g.input('input', ['N', 3, 'H', 'W']);
  let tokens = learned(g, 'tokens.weight', [1, count, TOKEN], image);
  let x = conv(g, 'stem.0', image, [3, stem], { kernel: 3, stride: 2, act: 'relu6' });
  let from = stem;
  blocks.forEach((block, i) => {
    const path = `features.${i}`;
    if (block.tokens) {
      tokens = globalBlock(g, `${path}.global_block`, localToGlobal(g, `${path}.local_global`, x, from, tokens));
      const y = convolutions(g, path, x, from, block, tokens);
      x = globalToLocal(g, `${path}.global_local`, y, block.channels, tokens);
    } else {
      x = alone(g, path, x, from, block);
    }
    from = block.channels;
  });
  tokens = localToGlobal(g, 'local_global', x, from, tokens);
  return g.build({ logits: head(g, x, from, tokens, features) });
}

/** The pooled image and the first token, side by side, through two linear layers. */
function head(g: GraphBuilder, x: string, channels: number, tokens: string, features: number): string {
  const width = 6 * channels;
  const wide = conv(g, 'classifier.conv.1', x, [channels, width], { act: 'relu6' });
  const pooled = g.op('Flatten', 'classifier.flatten', [g.op('GlobalAveragePool', 'global_pool', [wide], {})], {});
  const image = activate(g, 'classifier.pool.act', pooled, 'hard_swish');
  const both = g.op('Concat', 'classifier.concat', [image, firstToken(g, 'classifier', tokens)], { axis: 1 });
  const hidden = linearLayer(g, 'classifier.fc.0', both, [width + TOKEN, features]);
  const last = activate(g, 'classifier.fc.act', hidden, 'hard_swish');
  return linearLayer(g, 'classifier.classifier.1', last, [features, CLASSES]);
}
