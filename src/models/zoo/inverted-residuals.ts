/**
 * The mobile networks that are rows of a table of depthwise-separable and inverted-residual blocks (MobileNetV1 to V3, MNASNet,
 * EfficientNet, MixNet). Blocks, their names and the rounding of channels are timm's (`_efficientnet_blocks.py`, 1.0.31).
 */
import { type GraphBuilder, graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import {
  type Activation,
  activate,
  CLASSES,
  type ConvOptions,
  classifier,
  conv,
  linear,
  makeDivisible,
  squeezeExcite,
} from './layers.ts';

/** A kernel, or one for each of as many equal parts of the channels (MixNet). */
export type Kernels = number | readonly number[];

/** Some equal blocks one after the other; only the first has the stride. */
export interface Blocks {
  /** `separable`: depthwise, pointwise. `inverted`: pointwise, depthwise, pointwise. `pointwise`: one convolution. */
  readonly kind: 'separable' | 'inverted' | 'pointwise';
  readonly repeats: number;
  readonly kernel: Kernels;
  readonly stride: number;
  /** Expansion of an inverted residual. */
  readonly expand: number;
  readonly channels: number;
  /** Squeeze-and-excite to this part of the channels, those of the block's input or of its middle (see `seFrom`). */
  readonly se?: number;
  readonly act?: Activation;
  /** Kernels of the pointwise convolutions before and after the depthwise one; more than one splits the channels. */
  readonly expandKernels?: Kernels;
  readonly projectKernels?: Kernels;
}

export interface InvertedResiduals {
  readonly name: string;
  readonly stem: number;
  readonly stages: readonly (readonly Blocks[])[];
  readonly act: Activation;
  /** Multiplies all channels but those of the classes. */
  readonly width?: number;
  /** A pointwise convolution to so many channels, before the pooling or after it. */
  readonly head?: { readonly channels: number; readonly pooled?: true };
  readonly seFrom?: 'input' | 'middle';
  readonly seGate?: Activation;
  /** Of squeeze-and-excite; default: the block's. */
  readonly seAct?: Activation;
  /** MobileNetV1: an activation behind the pointwise convolution of separable blocks, and no shortcut. */
  readonly plain?: true;
}

type Row = Omit<Blocks, 'kind' | 'repeats' | 'kernel' | 'stride' | 'expand' | 'channels'>;

/** Depthwise-separable blocks. */
export function separable(repeats: number, kernel: number, stride: number, channels: number, more: Row = {}): Blocks {
  return { kind: 'separable', repeats, kernel, stride, expand: 1, channels, ...more };
}

/** Inverted residuals. */
export function inverted(
  repeats: number,
  kernel: Kernels,
  stride: number,
  expand: number,
  channels: number,
  more: Row = {},
): Blocks {
  return { kind: 'inverted', repeats, kernel, stride, expand, channels, ...more };
}

/** One pointwise convolution. */
export function pointwise(channels: number): Blocks {
  return { kind: 'pointwise', repeats: 1, kernel: 1, stride: 1, expand: 1, channels };
}

/** Equal parts of so many channels; the first has what is left over. */
function partsOf(channels: number, count: number): number[] {
  const each = Math.floor(channels / count);
  return Array.from({ length: count }, (_, i) => (i === 0 ? channels - each * (count - 1) : each));
}

/** A convolution, or several, each on its part of the channels (MixConv, arXiv 1907.09595). */
function mixedConv(
  g: GraphBuilder,
  name: string,
  x: string,
  [from, to]: readonly [number, number],
  kernels: Kernels,
  options: ConvOptions,
): string {
  if (typeof kernels === 'number') return conv(g, name, x, [from, to], { ...options, kernel: kernels });
  const { act, ...each } = options;
  const [ins, outs] = [partsOf(from, kernels.length), partsOf(to, kernels.length)];
  const parts = g
    .split(`${name}.split`, x, ins)
    .map((part, i) => conv(g, `${name}.${i}`, part, [ins[i]!, outs[i]!], { ...each, kernel: kernels[i]! }));
  const y = g.op('Concat', `${name}.concat`, parts, { axis: 1 });
  return act ? activate(g, `${name}.act`, y, act) : y;
}

/** The inference graph: image `[N, 3, H, W]` → `logits` `[N, 1000]`. */
export function invertedResiduals(net: InvertedResiduals): Graph {
  const { width = 1, seFrom = 'input', seGate = 'sigmoid', plain } = net;
  const g = graphBuilder(net.name);
  const wide = (channels: number): number => makeDivisible(channels * width);
  let channels = wide(net.stem);
  const image = g.input('input', ['N', 3, 'H', 'W']);
  let x = conv(g, 'conv_stem', image, [3, channels], { kernel: 3, stride: 2, act: net.act });

  const block = (path: string, row: Blocks, stride: number): void => {
    const { kind, kernel, expand, se, act = net.act, expandKernels = 1, projectKernels = 1 } = row;
    const [input, from, to] = [x, channels, wide(row.channels)];
    channels = to;
    if (kind === 'pointwise') {
      x = conv(g, `${path}.conv`, x, [from, to], { act });
      return;
    }
    const middle = kind === 'inverted' ? makeDivisible(from * expand) : from;
    if (kind === 'inverted') x = mixedConv(g, `${path}.conv_pw`, x, [from, middle], expandKernels, { act });
    x = mixedConv(g, `${path}.conv_dw`, x, [middle, middle], kernel, { stride, depthwise: true, act });
    if (se) {
      const reduced = seFrom === 'input' ? Math.round(from * se) : makeDivisible(middle * se);
      x = squeezeExcite(g, `${path}.se`, x, middle, { reduced, act: net.seAct ?? act, gate: seGate });
    }
    const project = kind === 'inverted' ? `${path}.conv_pwl` : `${path}.conv_pw`;
    x = mixedConv(g, project, x, [middle, to], projectKernels, { act: plain ? act : undefined });
    if (from === to && stride === 1 && !plain) x = g.op('Add', `${path}.add`, [x, input], {});
  };
  net.stages.forEach((rows, s) => {
    let b = 0;
    for (const row of rows)
      for (let i = 0; i < row.repeats; i++) block(`blocks.${s}.${b++}`, row, i === 0 ? row.stride : 1);
  });

  const { head } = net;
  if (!head) return g.build({ logits: classifier(g, 'classifier', x, channels) });
  if (head.pooled) x = g.op('GlobalAveragePool', 'global_pool', [x], {});
  x = conv(g, 'conv_head', x, [channels, head.channels], { act: net.act });
  const logits = head.pooled
    ? linear(g, 'classifier', x, head.channels, CLASSES)
    : classifier(g, 'classifier', x, head.channels);
  return g.build({ logits });
}
