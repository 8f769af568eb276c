/**
 * Activations by name, each built from ordinary ops as its paper defines it: one table. The dynamic ones take their coefficients from
 * the image itself: global average pool, two pointwise layers with ReLU between them, a normalization.
 */
import { convAttrs, type GraphBuilder } from '../../graph/build.ts';
import { seBlock, seChannels } from '../squeeze-excite.ts';
import { activate, makeDivisible } from './layers.ts';

/** Appends an activation of x `[N, channels, H, W]`; its value has the name `path`, and so begin those of its parameters. */
export type ActivationBuilder = (g: GraphBuilder, path: string, x: string, channels: number) => string;

/** How the coefficients of a dynamic activation come about. */
export interface HyperFunction {
  /** Channels of the vector that they come from. */
  readonly from: number;
  /** Channels between the two layers. */
  readonly hidden: number;
}

/**
 * Two pointwise layers with ReLU between them (`path.fc1`, `path.fc2`): z `[N, from, 1, 1]` → `[N, to, 1, 1]`. They are linear layers of
 * the papers and begin as such, near zero, or thirty activations of random weights would blow each other up.
 */
function hyperFunction(g: GraphBuilder, path: string, z: string, { from, hidden }: HyperFunction, to: number): string {
  const first = g.op('Relu', `${path}.act`, [g.conv(`${path}.fc1`, z, hidden, from, convAttrs(1))], {});
  const theta = g.conv(`${path}.fc2`, first, to, hidden, convAttrs(1));
  g.declare({
    [`${path}.fc1.weight`]: { shape: [hidden, from, 1, 1], role: 'weight', std: 0.01 },
    [`${path}.fc2.weight`]: { shape: [to, hidden, 1, 1], role: 'weight', std: 0.01 },
  });
  return theta;
}

/** K lines a_k · x + b_k; each coefficient is `[N, C, 1, 1]`, or `[N, 1, 1, 1]` where channels share it. */
export interface Lines {
  readonly a: readonly string[];
  readonly b: readonly string[];
}

/**
 * Dynamic ReLU's coefficients (arXiv 2003.10027, equations 3 and 4): a_k = α_k + λ_a (2σ(θ) − 1), b_k = β_k + λ_b (2σ(θ) − 1), with
 * K = 2, α = (1, 0), β = (0, 0), λ_a = 1, λ_b = 0.5. z `[N, from, 1, 1]` may be any vector: of the image it is the global average pool;
 * Mobile-Former takes its first token. `lines`: channels that have lines of their own; 1 for lines that all share. The second layer's outputs are a_1, a_2, b_1, b_2, one block of `lines` each.
 */
export function dynamicReluLines(
  g: GraphBuilder,
  path: string,
  z: string,
  { lines, ...hyper }: HyperFunction & { readonly lines: number },
): Lines {
  const theta = hyperFunction(g, path, z, hyper, 4 * lines);
  const gates = g.split(`${path}.split`, g.op('Sigmoid', `${path}.sigmoid`, [theta], {}), Array(4).fill(lines));
  const line = (name: string, index: number, alpha: number, beta: number): string =>
    g.op('Affine', `${path}.${name}`, [gates[index]!], { alpha, beta });
  return { a: [line('a1', 0, 2, 0), line('a2', 1, 2, -1)], b: [line('b1', 2, 1, -0.5), line('b2', 3, 1, -0.5)] };
}

/** Dynamic ReLU of given lines: max over k of a_k · x + b_k (arXiv 2003.10027, equation 1). */
export function dynamicReluOf(g: GraphBuilder, path: string, x: string, { a, b }: Lines): string {
  const lines = a.map((slope, k) => {
    const scaled = g.op('Mul', `${path}.mul${k + 1}`, [x, slope], {});
    return g.op('Add', `${path}.line${k + 1}`, [scaled, b[k]!], {});
  });
  return g.op('Max', path, lines, {});
}

/** Dynamic ReLU whose lines come from the image; its first layer reduces the channels to an eighth (R = 8). */
const dynamicRelu =
  (shared: boolean): ActivationBuilder =>
  (g, path, x, channels) => {
    const z = g.op('GlobalAveragePool', `${path}.pool`, [x], {});
    const hidden = Math.max(1, Math.floor(channels / 8));
    const lines = dynamicReluLines(g, path, z, { from: channels, hidden, lines: shared ? 1 : channels });
    return dynamicReluOf(g, path, x, lines);
  };

/** Groups of Dynamic Shift-Max where the convolutions around it have none. */
const SHIFT_GROUPS = 4;

/**
 * Dynamic Shift-Max (MicroNet, arXiv 2108.05894, equation 7): max over k of Σ_j a_k,j(x) · x shifted by j · C / G channels in a circle, with
 * J = K = 2. The coefficients are the authors' code's (liyunsheng13/micronet): 4 (HardSigmoid(θ) − ½) plus 1 for a_k,0, the first
 * layer's channels C / 8 rounded to a multiple of 4; its shift has one channel more inside the group, which costs the same.
 */
const dynamicShiftMax: ActivationBuilder = (g, path, x, channels) => {
  const shift = Math.floor(channels / SHIFT_GROUPS);
  const z = g.op('GlobalAveragePool', `${path}.pool`, [x], {});
  const hyper = { from: channels, hidden: makeDivisible(Math.floor(channels / 8), 4) };
  const theta = hyperFunction(g, path, z, hyper, 4 * channels);
  const gates = g.op('HardSigmoid', `${path}.gate`, [theta], {});
  const parts = g.split(`${path}.split`, gates, Array(4).fill(channels));
  const [first, rest] = g.split(`${path}.halves`, x, [shift, channels - shift]) as [string, string];
  const shifted = g.op('Concat', `${path}.shifted`, [rest, first], { axis: 1 });
  const fused = [0, 1].map((k) => {
    const terms = [x, shifted].map((y, j) => {
      const attrs = { alpha: 4, beta: j === 0 ? -1 : -2 };
      const factor = g.op('Affine', `${path}.a${k + 1}${j}`, [parts[2 * k + j]!], attrs);
      return g.op('Mul', `${path}.mul${k + 1}${j}`, [y, factor], {});
    });
    return g.op('Add', `${path}.sum${k + 1}`, terms, {});
  });
  return g.op('Max', path, fused, {});
};

const plain =
  (kind: 'relu' | 'relu6' | 'hard_swish' | 'swish'): ActivationBuilder =>
  (g, path, x) =>
    activate(g, path, x, kind);

export interface ActivationEntry {
  readonly title: string;
  /** Where it is defined. */
  readonly source: string;
  /** Of the initial weights before it (std · √fan out); default He's √2, for what leaves half of the variance. */
  readonly gain?: number;
  readonly build: ActivationBuilder;
}

export type ActivationName =
  | 'relu'
  | 'relu6'
  | 'prelu'
  | 'gelu'
  | 'silu'
  | 'hard_swish'
  | 'se_relu'
  | 'dynamic_shift_max'
  | 'dynamic_relu_a'
  | 'dynamic_relu_b';

export const ACTIVATIONS: Readonly<Record<ActivationName, ActivationEntry>> = {
  relu: { title: 'ReLU', source: 'max(x, 0)', build: plain('relu') },
  relu6: { title: 'ReLU6', source: 'MobileNetV2, arXiv 1801.04381', build: plain('relu6') },
  prelu: {
    title: 'PReLU',
    source: 'arXiv 1502.01852',
    build: (g, path, x, channels) => {
      g.declare({ [`${path}.weight`]: { shape: [channels, 1, 1], role: 'weight' } });
      return g.op('PRelu', path, [x], {}, { slope: `${path}.weight` });
    },
  },
  gelu: { title: 'GELU', source: 'arXiv 1606.08415', build: (g, path, x) => g.op('Gelu', path, [x], {}) },
  silu: { title: 'SiLU', source: 'Swish, arXiv 1710.05941', build: plain('swish') },
  hard_swish: { title: 'HardSwish', source: 'MobileNetV3, arXiv 1905.02244', build: plain('hard_swish') },
  se_relu: {
    title: 'SE-ReLU',
    source: 'squeeze-and-excite, arXiv 1709.01507, ratio 1/16, then ReLU, as in MobileOne-S4',
    build: (g, path, x, channels) =>
      g.op('Relu', path, [seBlock(g, `${path}.se`, x, channels, seChannels(channels, 8))], {}),
  },
  dynamic_shift_max: {
    title: 'Dynamic Shift-Max',
    source: 'MicroNet, arXiv 2108.05894, J = K = 2, G = 4',
    gain: 1,
    build: dynamicShiftMax,
  },
  dynamic_relu_a: {
    title: 'DynamicReLU-A',
    source: 'Dynamic ReLU, arXiv 2003.10027, K = 2, lines shared by all channels',
    build: dynamicRelu(true),
  },
  dynamic_relu_b: {
    title: 'DynamicReLU-B',
    source: 'Dynamic ReLU, arXiv 2003.10027, K = 2, lines of every channel',
    build: dynamicRelu(false),
  },
};
