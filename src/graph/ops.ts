/**
 * The shape rule and the cost of every op kind: one table, one entry a kind.
 * `infer` checks its inputs and returns the output shapes; it throws a plain message, to which `bind` adds the node.
 */
import type { Shape } from '../core/tensor.ts';
import { sizeOf } from '../core/tensor.ts';
import type { NodeOf, ParamSpec } from './graph.ts';
import type { ConvAttrs, OpKind, PoolAttrs, RepConvAttrs } from './kinds.ts';
import { branchesOf, kernelShape } from './rep-conv.ts';

export interface OpRule<K extends OpKind> {
  /** Output shapes from input shapes; `param` gives a parameter's shape by role. */
  readonly infer: (node: NodeOf<K>, inputs: readonly Shape[], param: (role: string) => Shape) => Shape[];
  /** Multiply-accumulates, given bound input and output shapes. Elementwise work counts zero, as in fvcore. */
  readonly macs: (node: NodeOf<K>, inputs: readonly Shape[], outputs: readonly Shape[]) => number;
}

function check(condition: boolean, message: string): void {
  if (!condition) throw new TypeError(message);
}

function checkRank(shape: Shape, rank: number, what: string): void {
  check(shape.length === rank, `${what} must have ${rank} dimensions, got [${shape.join(', ')}]`);
}

function checkSame(a: Shape, b: Shape, what: string): void {
  check(a.length === b.length && a.every((d, i) => d === b[i]), `${what}: [${a.join(', ')}] against [${b.join(', ')}]`);
}

const same = (_: unknown, [x]: readonly Shape[]): Shape[] => [x!];
const none = (): number => 0;

/** Output length of a convolution along one axis. */
export function convLength(size: number, kernel: number, stride: number, pads: number, dilation = 1): number {
  return Math.floor((size + pads - dilation * (kernel - 1) - 1) / stride) + 1;
}

function inferRepConv(attrs: RepConvAttrs, x: Shape): Shape {
  checkRank(x, 4, 'input');
  const { in_chs, out_chs, kernel_size, stride, dilation, groups } = attrs;
  check(x[1] === in_chs, `input has ${x[1]} channels, expected ${in_chs}`);
  check(
    groups === 1 || (groups === in_chs && groups === out_chs),
    `groups must be 1 or in_chs = out_chs, got ${groups}`,
  );
  check(!attrs.scale || kernel_size > 1, 'a scale branch needs kernel_size > 1');
  check(!attrs.skip || (in_chs === out_chs && stride === 1), 'a skip branch needs in_chs = out_chs and stride 1');
  check(attrs.num_conv_branches + Number(attrs.scale) + Number(attrs.skip) > 0, 'at least one branch is needed');
  const pads = (kernel_size - 1) * dilation;
  const length = (size: number): number => convLength(size, kernel_size, stride, pads, dilation);
  return [x[0]!, out_chs, length(x[2]!), length(x[3]!)];
}

function inferConv(attrs: ConvAttrs, x: Shape, weight: Shape): Shape {
  checkRank(x, 4, 'input');
  const { kernel_shape: kernel, strides, pads, dilations, group } = attrs;
  check(x[1] === weight[1]! * group, `input has ${x[1]} channels, expected ${weight[1]! * group}`);
  checkSame(weight.slice(2), kernel, 'kernel_shape differs from the weight');
  check(weight[0]! % group === 0, `${weight[0]} output channels do not divide into ${group} groups`);
  const length = (axis: 0 | 1): number =>
    convLength(x[2 + axis]!, kernel[axis], strides[axis], pads[axis]! + pads[axis + 2]!, dilations[axis]);
  const out = [x[0]!, weight[0]!, length(0), length(1)];
  check(out[2]! > 0 && out[3]! > 0, `the image ${x[2]}×${x[3]} is smaller than the kernel`);
  return out;
}

/** Output shape of windows over the image: a convolution's without dilation. */
function inferPool({ kernel_shape: kernel, strides, pads }: PoolAttrs, x: Shape): Shape {
  checkRank(x, 4, 'input');
  for (const axis of [0, 1] as const)
    check(
      pads[axis] < kernel[axis] && pads[axis + 2]! < kernel[axis],
      `padding ${pads} leaves windows of ${kernel.join('×')} without a value`,
    );
  const length = (axis: 0 | 1): number =>
    convLength(x[2 + axis]!, kernel[axis], strides[axis], pads[axis]! + pads[axis + 2]!);
  const out = [x[0]!, x[1]!, length(0), length(1)];
  check(out[2]! > 0 && out[3]! > 0, `the image ${x[2]}×${x[3]} is smaller than the window ${kernel.join('×')}`);
  return out;
}

/** The shape that two shapes broadcast to, as in NumPy. */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [x, y] = [a[i - rank + a.length] ?? 1, b[i - rank + b.length] ?? 1];
    check(x === y || x === 1 || y === 1, `[${a.join(', ')}] and [${b.join(', ')}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

function checkAxis(axis: number, x: Shape): void {
  check(Number.isInteger(axis) && axis >= 0 && axis < x.length, `axis ${axis} is none of [${x.join(', ')}]`);
}

/** x with another length along an axis. */
const withLength = (x: Shape, axis: number, length: number): Shape => x.map((size, i) => (i === axis ? length : size));

/** A gradient has the shape of its value; of a value that was broadcast it has not. */
function checkGrad(dy: Shape, y: Shape): void {
  checkSame(dy, y, 'the gradient has another shape than the value (Add and Mul that broadcast are not trained)');
}

const inferUnaryGrad = (_: unknown, [y, dy]: readonly Shape[]): Shape[] => {
  checkGrad(dy!, y!);
  return [y!];
};

/** A grad node outputs dx (if asked), then one gradient a learnable parameter, in role order without running statistics. */
function inferGrads(
  node: { readonly params: Readonly<Record<string, string>>; readonly attrs: { readonly needsInputGrad: boolean } },
  x: Shape,
  param: (role: string) => Shape,
): Shape[] {
  const roles = Object.keys(node.params).filter((role) => !role.includes('running_'));
  return [...(node.attrs.needsInputGrad ? [x] : []), ...roles.map(param)];
}

const positions = (shape: Shape): number => shape[0]! * sizeOf(shape.slice(2));

function repConvMacs(node: NodeOf<'RepConv'> | NodeOf<'RepConvGrad'>, out: Shape): number {
  const [o, i, kh, kw] = kernelShape(node.attrs);
  return branchesOf(node)
    .map((branch) => (branch.type === 'conv' ? o * i * kh * kw : branch.type === 'scale' ? o * i : 0))
    .reduce((sum, macs) => sum + macs * positions(out), 0);
}

const convMacs = (attrs: ConvAttrs, x: Shape, out: Shape): number =>
  positions(out) * out[1]! * (x[1]! / attrs.group) * attrs.kernel_shape[0] * attrs.kernel_shape[1];

export const OPS: { readonly [K in OpKind]: OpRule<K> } = {
  Preprocess: {
    infer: ({ attrs }, [x]) => {
      checkRank(x!, 4, 'image [N, H, W, C]');
      check(x![3] === attrs.mean.length, `the image has ${x![3]} channels, mean and std have ${attrs.mean.length}`);
      return [[x![0]!, x![3]!, x![1]!, x![2]!]];
    },
    macs: none,
  },
  RepConv: {
    infer: (node, [x, momentum]) => {
      check(!node.attrs.training || momentum !== undefined, 'training needs the input bn_momentum');
      return [inferRepConv(node.attrs, x!)];
    },
    macs: (node, _, [out]) => repConvMacs(node, out!),
  },
  Conv: {
    infer: ({ attrs }, [x], param) => [inferConv(attrs, x!, param('weight'))],
    macs: ({ attrs }, [x], [out]) => convMacs(attrs, x!, out!),
  },
  BatchNormalization: {
    infer: (_, [x], param) => {
      check(x![1] === param('weight')[0], `input has ${x![1]} channels, expected ${param('weight')[0]}`);
      return [x!];
    },
    macs: none,
  },
  Relu: { infer: same, macs: none },
  Sigmoid: { infer: same, macs: none },
  Clip: {
    infer: ({ attrs }, [x]) => {
      check(attrs.min <= attrs.max, `min must be at most max, got ${attrs.min} and ${attrs.max}`);
      return [x!];
    },
    macs: none,
  },
  HardSigmoid: { infer: same, macs: none },
  HardSwish: { infer: same, macs: none },
  Swish: { infer: same, macs: none },
  Gelu: { infer: same, macs: none },
  PRelu: {
    infer: (_, [x], param) => {
      checkRank(x!, 4, 'input');
      checkSame(param('slope'), [x![1]!, 1, 1], 'slope must be [C, 1, 1]');
      return [x!];
    },
    macs: none,
  },
  Add: { infer: (_, [a, b]) => [broadcastShape(a!, b!)], macs: none },
  Mul: { infer: (_, [a, b]) => [broadcastShape(a!, b!)], macs: none },
  Concat: {
    infer: ({ attrs: { axis } }, inputs) => {
      const x = inputs[0]!;
      checkAxis(axis, x);
      for (const other of inputs) checkSame(withLength(other, axis, x[axis]!), x, `inputs differ beside axis ${axis}`);
      return [
        withLength(
          x,
          axis,
          inputs.reduce((sum, shape) => sum + shape[axis]!, 0),
        ),
      ];
    },
    macs: none,
  },
  Split: {
    infer: ({ attrs: { axis, split } }, [x]) => {
      checkAxis(axis, x!);
      const sum = split.reduce((a, b) => a + b, 0);
      check(sum === x![axis], `parts of ${split.join(' + ')} are not the ${x![axis]} elements of axis ${axis}`);
      return split.map((length) => withLength(x!, axis, length));
    },
    macs: none,
  },
  Slice: {
    infer: ({ attrs: { axis, start, end } }, [x]) => {
      checkAxis(axis, x!);
      check(start >= 0 && start < end && end <= x![axis]!, `${start} … ${end} is no part of ${x![axis]} elements`);
      return [withLength(x!, axis, end - start)];
    },
    macs: none,
  },
  ChannelShuffle: {
    infer: ({ attrs: { groups } }, [x]) => {
      checkRank(x!, 4, 'input');
      check(x![1]! % groups === 0, `${x![1]} channels do not divide into ${groups} groups`);
      return [x!];
    },
    macs: none,
  },
  Pad: {
    infer: ({ attrs: { pads } }, [x]) => {
      checkRank(x!, 4, 'input');
      check(
        pads.every((pad) => pad >= 0),
        `padding must not be negative, got ${pads}`,
      );
      return [[x![0]!, x![1]!, x![2]! + pads[0] + pads[2], x![3]! + pads[1] + pads[3]]];
    },
    macs: none,
  },
  MaxPool: { infer: ({ attrs }, [x]) => [inferPool(attrs, x!)], macs: none },
  AveragePool: { infer: ({ attrs }, [x]) => [inferPool(attrs, x!)], macs: none },
  ReduceMean: {
    infer: ({ attrs: { axes, keepdims } }, [x]) => {
      axes.forEach((axis) => {
        checkAxis(axis, x!);
      });
      const kept = x!.map((size, axis) => (axes.includes(axis) ? 1 : size));
      return [keepdims ? kept : kept.filter((_, axis) => !axes.includes(axis))];
    },
    macs: none,
  },
  GlobalAveragePool: {
    infer: (_, [x]) => {
      checkRank(x!, 4, 'input');
      return [[x![0]!, x![1]!, 1, 1]];
    },
    macs: none,
  },
  Flatten: { infer: (_, [x]) => [[x![0]!, sizeOf(x!.slice(1))]], macs: none },
  Gemm: {
    infer: (_, [x], param) => {
      checkRank(x!, 2, 'input');
      const [out, features] = param('weight');
      check(x![1] === features, `input has ${x![1]} features, expected ${features}`);
      return [[x![0]!, out!]];
    },
    macs: (_, [x], [out]) => sizeOf(x!) * out![1]!,
  },
  Softmax: { infer: same, macs: none },
  SoftmaxCrossEntropyLoss: {
    infer: (_, [logits, target]) => {
      checkSame(target!, logits!, 'target must have the shape of the logits');
      return [[]];
    },
    macs: none,
  },

  BinaryCrossEntropyLoss: {
    infer: (_, [logits, target]) => {
      checkSame(target!, logits!, 'target must have the shape of the logits');
      return [[]];
    },
    macs: none,
  },
  DistillationLoss: {
    infer: ({ attrs }, [logits, target, teacher]) => {
      checkSame(target!, logits!, 'target must have the shape of the logits');
      checkSame(teacher!, logits!, "the teacher's logits must have the shape of the student's");
      check(attrs.temperature > 0, `temperature must be above 0, got ${attrs.temperature}`);
      return [[]];
    },
    macs: none,
  },

  SoftmaxCrossEntropyLossGrad: { infer: same, macs: none },
  BinaryCrossEntropyLossGrad: { infer: same, macs: none },
  DistillationLossGrad: { infer: same, macs: none },
  RepConvGrad: {
    infer: (node, [x, dy], param) => {
      checkSame(dy!, inferRepConv(node.attrs, x!), 'dy has another shape than the output');
      return inferGrads(node, x!, param);
    },
    macs: (node, [, dy]) => (node.attrs.needsInputGrad ? 2 : 1) * repConvMacs(node, dy!),
  },
  ConvGrad: {
    infer: (node, [x, dy], param) => {
      checkSame(dy!, inferConv(node.attrs, x!, param('weight')), 'dy has another shape than the output');
      return inferGrads(node, x!, param);
    },
    macs: ({ attrs }, [x, dy]) => (attrs.needsInputGrad ? 2 : 1) * convMacs(attrs, x!, dy!),
  },
  GemmGrad: {
    infer: (node, [x, dy], param) => {
      checkSame(dy!, [x![0]!, param('weight')[0]!], 'dy has another shape than the output');
      return inferGrads(node, x!, param);
    },
    macs: ({ attrs }, [x, dy]) => (attrs.needsInputGrad ? 2 : 1) * sizeOf(x!) * dy![1]!,
  },
  ReluGrad: { infer: inferUnaryGrad, macs: none },
  SigmoidGrad: { infer: inferUnaryGrad, macs: none },
  MulGrad: {
    infer: (_, [a, b, dy]) => {
      checkGrad(dy!, a!);
      if (sizeOf(b!) !== sizeOf(a!)) checkGrad(b!, [a![0]!, a![1]!, 1, 1]);
      return [a!, b!];
    },
    macs: none,
  },
  GlobalAveragePoolGrad: {
    infer: (_, [x, dy]) => {
      checkGrad(dy!, [x![0]!, x![1]!, 1, 1]);
      return [x!];
    },
    macs: none,
  },
  FlattenGrad: { infer: same, macs: none },
  AccumulateGrad: { infer: () => [], macs: none },
  ClipGradNorm: {
    infer: ({ attrs }) => {
      check(attrs.max_norm > 0, `max_norm must be above 0, got ${attrs.max_norm}`);
      return [[], []];
    },
    macs: none,
  },
  Sgd: { infer: () => [], macs: none },
  AdamW: {
    infer: ({ attrs }) => {
      check(Math.fround(attrs.epsilon) > 0, `epsilon must be above 0 in float32, got ${attrs.epsilon}`);
      for (const beta of [attrs.beta1, attrs.beta2])
        check(beta >= 0 && beta < 1, `betas must be of at least 0 and below 1, got ${beta}`);
      return [];
    },
    macs: none,
  },
  Ema: { infer: () => [], macs: none },
};

/** Looks a parameter's shape up by role. */
export function paramShape(
  params: Readonly<Record<string, ParamSpec>>,
  node: { readonly params: Readonly<Record<string, string>> },
  role: string,
): Shape {
  const name = node.params[role];
  const spec = name === undefined ? undefined : params[name];
  if (!spec) throw new TypeError(`parameter "${role}" is missing`);
  return spec.shape;
}
