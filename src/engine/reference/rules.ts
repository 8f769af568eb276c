/** The meaning of every op kind: one table. A rule takes input arrays and returns output arrays; state changes in place. */
import type { Graph, NodeOf } from '../../graph/graph.ts';
import { learnableParams } from '../../graph/graph.ts';
import type { ConvAttrs, OpKind } from '../../graph/kinds.ts';
import { OPS } from '../../graph/ops.ts';
import { convLength } from '../../graph/shape-rules.ts';
import { gelu, hardSigmoid, sigmoid } from './activations.ts';
import { type Array64, channelsOf, map, planesOf, zeros } from './array.ts';
import { normalize } from './batch-norm.ts';
import { type ConvGeometry, conv, convGrad } from './conv.ts';
import { distillationGrad, distillationLoss, logSoftmax } from './losses.ts';
import { pool } from './pool.ts';
import { repConv, repConvGrad } from './rep-conv.ts';
import { broadcast, channelShuffle, concat, pad, reduceMean, slice, transpose } from './shapes.ts';
import { layerNorm, linear, matMul } from './tokens.ts';

export interface RunContext {
  readonly graph: Graph;
  /** A parameter, statistic, or state of an optimizer or average, by name; the array is the state itself. */
  readonly state: (name: string) => Array64;
}

type Rule<K extends OpKind> = (node: NodeOf<K>, inputs: readonly Array64[], context: RunContext) => Array64[];

function geometry({ kernel_shape: kernel, strides, pads, dilations, group }: ConvAttrs, x: Array64): ConvGeometry {
  const length = (axis: 0 | 1): number =>
    convLength(x.shape[2 + axis]!, kernel[axis], strides[axis], pads[axis]! + pads[axis + 2]!, dilations[axis]);
  return { stride: strides, pad: [pads[0], pads[1]], dilation: dilations, group, size: [length(0), length(1)] };
}

/** Sum over N and positions, `[C]`. */
function channelSums(x: Array64): Array64 {
  const sums = zeros([x.shape[1]!]);
  for (const { channel, first, end } of planesOf(x)) {
    for (let i = first; i < end; i++) sums.data[channel]! += x.data[i]!;
  }
  return sums;
}

export const RULES: { readonly [K in OpKind]: Rule<K> } = {
  Preprocess: ({ attrs }, [image]) => {
    const [n, h, w, c] = image!.shape as [number, number, number, number];
    const y = zeros([n, c, h, w]);
    for (const { channel, first, end } of planesOf(y)) {
      const start = Math.floor(first / (c * h * w)) * h * w;
      for (let i = first; i < end; i++) {
        const value = image!.data[(start + i - first) * c + channel]!;
        y.data[i] = (value / 255 - attrs.mean[channel]!) / attrs.std[channel]!;
      }
    }
    return [y];
  },
  RepConv: (node, [x, momentum], { state }) => [
    repConv(node, x!, state, node.attrs.training ? momentum!.data[0]! : undefined),
  ],
  Conv: ({ attrs, params }, [x], { state }) => {
    const y = conv(x!, state(params.weight!), geometry(attrs, x!));
    const bias = params.bias ? state(params.bias).data : undefined;
    if (bias) {
      for (const { channel, first, end } of planesOf(y)) {
        for (let i = first; i < end; i++) y.data[i]! += bias[channel]!;
      }
    }
    return [y];
  },
  BatchNormalization: ({ attrs, params }, [x], { state }) => [
    normalize(x!, {
      mean: state(params.running_mean!).data,
      variance: state(params.running_var!).data,
      weight: state(params.weight!).data,
      bias: state(params.bias!).data,
      epsilon: attrs.epsilon,
    }),
  ],
  Relu: (_, [x]) => [map(x!, (value) => Math.max(value, 0))],
  Sigmoid: (_, [x]) => [map(x!, sigmoid)],
  Clip: ({ attrs }, [x]) => [map(x!, (value) => Math.min(Math.max(value, attrs.min), attrs.max))],
  HardSigmoid: (_, [x]) => [map(x!, hardSigmoid)],
  HardSwish: (_, [x]) => [map(x!, (value) => value * hardSigmoid(value))],
  Swish: (_, [x]) => [map(x!, (value) => value * sigmoid(value))],
  Gelu: (_, [x]) => [map(x!, gelu)],
  PRelu: ({ params }, [x], { state }) => [
    broadcast(x!, state(params.slope!), (value, slope) => (value > 0 ? value : slope * value)),
  ],
  Add: (_, [a, b]) => [broadcast(a!, b!, (x, y) => x + y)],
  Mul: (_, [a, b]) => [broadcast(a!, b!, (x, y) => x * y)],
  Affine: ({ attrs }, [x]) => [map(x!, (value) => attrs.alpha * value + attrs.beta)],
  Max: (_, inputs) => [inputs.reduce((a, b) => broadcast(a, b, Math.max))],
  Concat: ({ attrs }, inputs) => [concat(inputs, attrs.axis)],
  Split: ({ attrs }, [x]) => {
    let end = 0;
    return attrs.split.map((length) => {
      end += length;
      return slice(x!, attrs.axis, end - length, end);
    });
  },
  Slice: ({ attrs }, [x]) => [slice(x!, attrs.axis, attrs.start, attrs.end)],
  ChannelShuffle: ({ attrs }, [x]) => [channelShuffle(x!, attrs.groups)],
  Pad: ({ attrs }, [x]) => [pad(x!, attrs.pads)],
  MaxPool: ({ attrs }, [x]) => [pool(x!, attrs, (values) => Math.max(...values))],
  AveragePool: ({ attrs }, [x]) => {
    const window = attrs.kernel_shape[0] * attrs.kernel_shape[1];
    const count = (values: readonly number[]): number => (attrs.count_include_pad ? window : values.length);
    return [pool(x!, attrs, (values) => values.reduce((a, b) => a + b, 0) / count(values))];
  },
  GlobalAveragePool: (_, [x]) => {
    const { n, c, positions } = channelsOf(x!);
    const y = zeros([n, c, 1, 1]);
    x!.data.forEach((value, i) => {
      y.data[Math.floor(i / positions)]! += value / positions;
    });
    return [y];
  },
  ReduceMean: (node, [x]) => [reduceMean(x!, node.attrs.axes, OPS.ReduceMean.infer(node, [x!.shape], () => [])[0]!)],
  Flatten: (_, [x]) => [{ shape: [x!.shape[0]!, x!.data.length / x!.shape[0]!], data: x!.data }],
  Gemm: ({ params }, [x], { state }) => [
    linear(x!, state(params.weight!), params.bias ? state(params.bias) : undefined),
  ],
  Softmax: (_, [x]) => [map(logSoftmax(x!), Math.exp)],
  MatMul: (node, [a, b]) => [matMul(a!, b!, OPS.MatMul.infer(node, [a!.shape, b!.shape], () => [])[0]!)],
  Transpose: ({ attrs }, [x]) => [transpose(x!, attrs.perm)],
  Reshape: (node, inputs) => {
    const shapes = inputs.map(({ shape }) => shape);
    return [{ shape: OPS.Reshape.infer(node, shapes, () => [])[0]!, data: inputs[0]!.data }];
  },
  SpaceToDepth: ({ attrs: { blocksize: b } }, [x]) => {
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const { data } = transpose({ shape: [n, c, h / b, b, w / b, b], data: x!.data }, [0, 3, 5, 1, 2, 4]);
    return [{ shape: [n, c * b ** 2, h / b, w / b], data }];
  },
  DepthToSpace: ({ attrs: { blocksize: b } }, [x]) => {
    const [n, c, h, w] = x!.shape as [number, number, number, number];
    const { data } = transpose({ shape: [n, b, b, c / b ** 2, h, w], data: x!.data }, [0, 3, 4, 1, 5, 2]);
    return [{ shape: [n, c / b ** 2, h * b, w * b], data }];
  },
  LayerNormalization: ({ attrs, params }, [x], { state }) => [
    layerNorm(x!, state(params.weight!), state(params.bias!), attrs.epsilon),
  ],
  Constant: ({ attrs }) => [{ shape: attrs.shape, data: Float64Array.from(attrs.value) }],
  Parameter: ({ params }, [like], { state }) => {
    const value = state(params.value!);
    return [concat(Array<Array64>(like?.shape[0] ?? 1).fill(value), 0)];
  },
  SoftmaxCrossEntropyLoss: (_, [logits, target]) => {
    const logs = logSoftmax(logits!);
    let sum = 0;
    for (let i = 0; i < logs.data.length; i++) sum -= target!.data[i]! * logs.data[i]!;
    return [{ shape: [], data: Float64Array.of(sum / logits!.shape[0]!) }];
  },

  BinaryCrossEntropyLoss: (_, [logits, target]) => {
    const losses = map(logits!, (x, i) => Math.max(x, 0) - x * target!.data[i]! + Math.log1p(Math.exp(-Math.abs(x))));
    return [{ shape: [], data: Float64Array.of(losses.data.reduce((a, b) => a + b, 0) / losses.data.length) }];
  },
  DistillationLoss: ({ attrs }, [logits, target, teacher]) => [
    { shape: [], data: Float64Array.of(distillationLoss(logits!, target!, teacher!, attrs)) },
  ],

  SoftmaxCrossEntropyLossGrad: (_, [logits, target]) => {
    const [n, classes] = logits!.shape as [number, number];
    const logs = logSoftmax(logits!);
    const dlogits = zeros(logits!.shape);
    for (let first = 0; first < n * classes; first += classes) {
      let weight = 0;
      for (let i = first; i < first + classes; i++) weight += target!.data[i]!;
      for (let i = first; i < first + classes; i++) {
        dlogits.data[i] = (Math.exp(logs.data[i]!) * weight - target!.data[i]!) / n;
      }
    }
    return [dlogits];
  },
  BinaryCrossEntropyLossGrad: (_, [logits, target]) => [
    map(logits!, (value, i) => (sigmoid(value) - target!.data[i]!) / logits!.data.length),
  ],
  DistillationLossGrad: ({ attrs }, [logits, target, teacher]) => [distillationGrad(logits!, target!, teacher!, attrs)],
  RepConvGrad: (node, [x, dy], { state, graph }) => {
    const { dx, grads } = repConvGrad(node, x!, dy!, state);
    return [
      ...(node.attrs.needsInputGrad ? [dx] : []),
      ...learnableParams(graph, node).map((name) => grads.get(name)!),
    ];
  },
  ConvGrad: ({ attrs, params }, [x, dy], { state }) => {
    const { dx, dweight } = convGrad(x!, state(params.weight!), dy!, geometry(attrs, x!));
    return [...(attrs.needsInputGrad ? [dx] : []), dweight, ...(params.bias ? [channelSums(dy!)] : [])];
  },
  GemmGrad: ({ attrs, params }, [x, dy], { state }) => {
    const weight = state(params.weight!);
    const [n, inputs] = x!.shape as [number, number];
    const outputs = weight.shape[0]!;
    const dx = zeros(x!.shape);
    const dweight = zeros(weight.shape);
    for (let row = 0; row < n; row++)
      for (let o = 0; o < outputs; o++)
        for (let i = 0; i < inputs; i++) {
          dx.data[row * inputs + i]! += dy!.data[row * outputs + o]! * weight.data[o * inputs + i]!;
          dweight.data[o * inputs + i]! += dy!.data[row * outputs + o]! * x!.data[row * inputs + i]!;
        }
    return [...(attrs.needsInputGrad ? [dx] : []), dweight, channelSums(dy!)];
  },
  ReluGrad: (_, [y, dy]) => [map(dy!, (value, i) => (y!.data[i]! > 0 ? value : 0))],
  SigmoidGrad: (_, [y, dy]) => [map(dy!, (value, i) => value * y!.data[i]! * (1 - y!.data[i]!))],
  MulGrad: (_, [a, b, dy]) => {
    const each = a!.data.length / b!.data.length;
    const db = zeros(b!.shape);
    const da = map(a!, (value, i) => {
      const j = Math.floor(i / each);
      db.data[j]! += dy!.data[i]! * value;
      return dy!.data[i]! * b!.data[j]!;
    });
    return [da, db];
  },
  GlobalAveragePoolGrad: (_, [x, dy]) => {
    const { positions } = channelsOf(x!);
    return [map(x!, (_value, i) => dy!.data[Math.floor(i / positions)]! / positions)];
  },
  FlattenGrad: (_, [x, dy]) => [{ shape: x!.shape, data: dy!.data }],
  AccumulateGrad: ({ attrs }, [keep, ...grads], { state }) => {
    attrs.params.forEach((param, index) => {
      const sum = state(`grad_sum:${param}`).data;
      grads[index]!.data.forEach((gradient, i) => {
        sum[i] = keep!.data[0]! * sum[i]! + gradient;
      });
      grads[index]!.data.set(sum);
    });
    return [];
  },
  ClipGradNorm: ({ attrs }, inputs) => {
    const grads = inputs.slice(0, attrs.params.length);
    const scale = attrs.scaled ? inputs.at(-1)!.data[0]! : 1;
    const squares = grads.flatMap(({ data }) => data.reduce((sum, value) => sum + value * value, 0));
    const norm = scale * Math.sqrt(squares.reduce((a, b) => a + b, 0));
    const clipped = scale * Math.min(1, attrs.max_norm / (norm + 1e-6));
    return [clipped, norm].map((value) => ({ shape: [], data: Float64Array.of(value) }));
  },
  Sgd: ({ attrs }, [lr, weightDecay, ...grads], { state }) => {
    const scale = attrs.scaled ? grads.at(-1)!.data[0]! : 1;
    if (scale === 0) return [];
    attrs.updates.forEach(({ param, decay, lr_scale }, index) => {
      const rate = lr!.data[0]! * lr_scale;
      const w = state(param).data;
      const buffer = state(`momentum:${param}`).data;
      grads[index]!.data.forEach((gradient, i) => {
        const g = scale * gradient + (decay ? weightDecay!.data[0]! * w[i]! : 0);
        buffer[i] = attrs.momentum * buffer[i]! + g;
        w[i]! -= rate * (attrs.nesterov ? g + attrs.momentum * buffer[i]! : buffer[i]!);
      });
    });
    return [];
  },
  AdamW: ({ attrs }, [lr, weightDecay, step, ...grads], { state }) => {
    const { beta1, beta2, epsilon } = attrs;
    const scale = attrs.scaled ? grads.at(-1)!.data[0]! : 1;
    if (scale === 0) return [];
    const correction = 1 - beta2 ** step!.data[0]!;
    attrs.updates.forEach(({ param, decay, lr_scale }, index) => {
      const rate = lr!.data[0]! * lr_scale;
      const size = rate / (1 - beta1 ** step!.data[0]!);
      const [w, m, v] = [param, `exp_avg:${param}`, `exp_avg_sq:${param}`].map((name) => state(name).data);
      grads[index]!.data.forEach((gradient, i) => {
        const g = scale * gradient;
        if (decay) w![i]! -= rate * weightDecay!.data[0]! * w![i]!;
        m![i]! += (1 - beta1) * (g - m![i]!);
        v![i]! += (1 - beta2) * (g * g - v![i]!);
        w![i]! -= (size * m![i]!) / (Math.sqrt(v![i]! / correction) + epsilon);
      });
    });
    return [];
  },
  Ema: ({ attrs }, [decay], { state }) => {
    for (const param of attrs.params) {
      const average = state(`ema:${param}`).data;
      state(param).data.forEach((value, i) => {
        average[i] = decay!.data[0]! * average[i]! + (1 - decay!.data[0]!) * value;
      });
    }
    return [];
  },
};
