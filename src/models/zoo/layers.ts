/** What most networks of the zoo are made of: a convolution with its activation, squeeze-and-excite, rounding of channels. */
import { convAttrs, type GraphBuilder } from '../../graph/build.ts';

/** Classes of ImageNet-1k. */
export const CLASSES: number = 1000;

/** Activations by timm's names. */
export type Activation = 'relu' | 'relu6' | 'hard_swish' | 'hard_sigmoid' | 'swish' | 'sigmoid' | 'gelu';

const ACTIVATIONS: Readonly<Record<Activation, (g: GraphBuilder, name: string, x: string) => string>> = {
  relu: (g, name, x) => g.op('Relu', name, [x], {}),
  relu6: (g, name, x) => g.op('Clip', name, [x], { min: 0, max: 6 }),
  hard_swish: (g, name, x) => g.op('HardSwish', name, [x], {}),
  hard_sigmoid: (g, name, x) => g.op('HardSigmoid', name, [x], {}),
  swish: (g, name, x) => g.op('Swish', name, [x], {}),
  sigmoid: (g, name, x) => g.op('Sigmoid', name, [x], {}),
  gelu: (g, name, x) => g.op('Gelu', name, [x], {}),
};

/** Appends an activation. */
export function activate(g: GraphBuilder, name: string, x: string, act: Activation): string {
  return ACTIVATIONS[act](g, name, x);
}

export interface ConvOptions {
  readonly kernel?: number;
  readonly stride?: number;
  /** Every channel by itself. */
  readonly depthwise?: true;
  /** Rows and columns of zeros on each side; default: so many that a stride of 1 changes no size. */
  readonly pad?: number;
  /** What follows; nothing by default. */
  readonly act?: Activation | undefined;
}

/** A convolution into which its BatchNorm is folded (weight and bias `name.weight`, `name.bias`), then an activation. */
export function conv(
  g: GraphBuilder,
  name: string,
  x: string,
  [inChannels, outChannels]: readonly [number, number],
  { kernel = 1, stride = 1, depthwise, pad = (kernel - 1) / 2, act }: ConvOptions = {},
): string {
  const attrs = { ...convAttrs(kernel, stride, depthwise ? inChannels : 1), pads: [pad, pad, pad, pad] } as const;
  const y = g.conv(name, x, outChannels, inChannels, attrs);
  return act ? activate(g, `${name}.act`, y, act) : y;
}

export interface SqueezeExcite {
  /** Channels between the two convolutions. */
  readonly reduced: number;
  readonly act: Activation;
  readonly gate: Activation;
}

/** Squeeze-and-excite with timm's names: pool, `conv_reduce`, activation, `conv_expand`, gate, multiply. */
export function squeezeExcite(
  g: GraphBuilder,
  name: string,
  x: string,
  channels: number,
  { reduced, act, gate }: SqueezeExcite,
): string {
  const pooled = g.op('GlobalAveragePool', `${name}.pool`, [x], {});
  const squeezed = conv(g, `${name}.conv_reduce`, pooled, [channels, reduced], { act });
  const expanded = conv(g, `${name}.conv_expand`, squeezed, [reduced, channels], { act: gate });
  return g.op('Mul', name, [x, expanded], {});
}

/** The nearest multiple of a divisor that is at most a tenth smaller (TensorFlow's rule for widths). */
export function makeDivisible(channels: number, divisor = 8): number {
  const rounded = Math.max(divisor, Math.floor((channels + divisor / 2) / divisor) * divisor);
  return rounded < 0.9 * channels ? rounded + divisor : rounded;
}

/** Flatten and a linear layer `name`: `[N, C, 1, 1]` → logits `[N, classes]`. */
export function linear(g: GraphBuilder, name: string, x: string, channels: number, classes: number): string {
  const flat = g.op('Flatten', `${name}.flatten`, [x], {});
  const params = { weight: `${name}.weight`, bias: `${name}.bias` };
  g.declare({
    [params.weight]: { shape: [classes, channels], role: 'weight' },
    [params.bias]: { shape: [classes], role: 'bias' },
  });
  return g.op('Gemm', name, [flat], {}, params);
}

/** Global average pool, flatten and a linear layer `name`: `[N, C, H, W]` → logits `[N, classes]`. */
export function classifier(
  g: GraphBuilder,
  name: string,
  x: string,
  channels: number,
  classes: number = CLASSES,
): string {
  return linear(g, name, g.op('GlobalAveragePool', 'global_pool', [x], {}), channels, classes);
}
