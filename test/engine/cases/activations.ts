/** Every activation of the table once more, value by value, from its paper: independent of graphs and ops. Without a test runner. */
import type { ActivationName } from '../../../src/models/zoo/activations.ts';

/** A parameter's values by the end of its name. */
export type Params = (name: string) => ArrayLike<number>;

/** One image: a row of values a channel. */
type Image = readonly (readonly number[])[];

/** How one image is changed. */
type Transcription = (x: Image, params: Params) => number[][];

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const hardSigmoid = (x: number): number => Math.min(6, Math.max(0, x + 3)) / 6;

/** Φ(x), the integral of the normal density from 0 by Simpson's rule. */
function normalCdf(x: number): number {
  const steps = 4000;
  const density = (t: number): number => Math.exp(-0.5 * t * t) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += (i % 2 ? 4 : 2) * density((i * x) / steps);
  return 0.5 + (sum * x) / steps / 3;
}

const each =
  (fn: (value: number, channel: number, params: Params) => number): Transcription =>
  (x, params) =>
    x.map((row, c) => row.map((value) => fn(value, c, params)));

const pooled = (x: Image): number[] => x.map((row) => row.reduce((a, b) => a + b, 0) / row.length);

/** Weights `[O, I]` and biases `[O]` on a vector. */
function layer(z: readonly number[], weight: ArrayLike<number>, bias: ArrayLike<number>): number[] {
  return Array.from(bias, (b, o) => z.reduce((sum, value, i) => sum + value * weight[o * z.length + i]!, b));
}

function twoLayers(z: readonly number[], params: Params, path = ''): number[] {
  const hidden = layer(z, params(`${path}fc1.weight`), params(`${path}fc1.bias`)).map((value) => Math.max(0, value));
  return layer(hidden, params(`${path}fc2.weight`), params(`${path}fc2.bias`));
}

/** y_c = max over k of a_k x_c + b_k (Chen et al., Dynamic ReLU, equations 1 to 4). */
const dynamicRelu =
  (shared: boolean): Transcription =>
  (x, params) => {
    const theta = twoLayers(pooled(x), params);
    const width = shared ? 1 : x.length;
    const normalized = (block: number, c: number): number => 2 * sigmoid(theta[block * width + (shared ? 0 : c)]!) - 1;
    return x.map((row, c) => {
      const [a1, a2] = [1 + 1.0 * normalized(0, c), 0 + 1.0 * normalized(1, c)];
      const [b1, b2] = [0 + 0.5 * normalized(2, c), 0 + 0.5 * normalized(3, c)];
      return row.map((value) => Math.max(a1 * value + b1, a2 * value + b2));
    });
  };

/** y_i = max over k of Σ_j a_k,j x_((i + j C / G) mod C) (Li et al., MicroNet, equation 7). */
const dynamicShiftMax: Transcription = (x, params) => {
  const [channels, groups] = [x.length, 4];
  const theta = twoLayers(pooled(x), params);
  const factor = (k: number, j: number, i: number): number =>
    (hardSigmoid(theta[(2 * k + j) * channels + i]!) - 0.5) * 4 + (j === 0 ? 1 : 0);
  return x.map((row, i) =>
    row.map((value, p) => {
      const other = x[(i + Math.floor(channels / groups)) % channels]![p]!;
      return Math.max(...[0, 1].map((k) => factor(k, 0, i) * value + factor(k, 1, i) * other));
    }),
  );
};

export const TRANSCRIPTIONS: Readonly<Record<ActivationName, Transcription>> = {
  relu: each((x) => Math.max(0, x)),
  relu6: each((x) => Math.min(6, Math.max(0, x))),
  prelu: each((x, c, params) => (x > 0 ? x : params('weight')[c]! * x)),
  gelu: each((x) => x * normalCdf(x)),
  silu: each((x) => x * sigmoid(x)),
  hard_swish: each((x) => x * hardSigmoid(x)),
  se_relu: (x, params) => {
    const gates = twoLayers(pooled(x), params, 'se.').map(sigmoid);
    return x.map((row, c) => row.map((value) => Math.max(0, value * gates[c]!)));
  },
  dynamic_shift_max: dynamicShiftMax,
  dynamic_relu_a: dynamicRelu(true),
  dynamic_relu_b: dynamicRelu(false),
};
