/**
 * The shape rule and the cost of every op kind: one table, one entry a kind, begun in inference-ops.ts.
 * `infer` checks its inputs and returns the output shapes; it throws a plain message, to which `bind` adds the node.
 */
import { type Shape, sizeOf } from '../core/tensor.ts';
import { convMacs, INFERENCE_OPS, inferConv, inferRepConv, repConvMacs } from './inference-ops.ts';
import type { OpKind, PoolAttrs } from './kinds.ts';
import { broadcastShape, check, checkRank, checkSame, convLength, none, type OpRule, same } from './shape-rules.ts';
import {
  inferDepthToSpace,
  inferMatMul,
  inferParameter,
  inferReshape,
  inferSpaceToDepth,
  inferTranspose,
} from './token-shapes.ts';

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

export const OPS: { readonly [K in OpKind]: OpRule<K> } = {
  ...INFERENCE_OPS,
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
  Affine: { infer: same, macs: none },
  Max: { infer: (_, inputs) => [inputs.reduce(broadcastShape)], macs: none },
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
  MatMul: {
    infer: (_, [a, b]) => [inferMatMul(a!, b!)],
    macs: (_, [a], [out]) => sizeOf(out!) * a!.at(-1)!,
  },
  Transpose: { infer: ({ attrs }, [x]) => [inferTranspose(attrs.perm, x!)], macs: none },
  Reshape: { infer: ({ attrs }, [x, like]) => [inferReshape(attrs.shape, x!, like ?? x!)], macs: none },
  SpaceToDepth: { infer: ({ attrs }, [x]) => [inferSpaceToDepth(attrs.blocksize, x!)], macs: none },
  DepthToSpace: { infer: ({ attrs }, [x]) => [inferDepthToSpace(attrs.blocksize, x!)], macs: none },
  LayerNormalization: {
    infer: ({ attrs }, [x], param) => {
      checkAxis(attrs.axis, x!);
      for (const role of ['weight', 'bias'])
        checkSame(param(role), x!.slice(attrs.axis), `${role} must have the shape of the axes from ${attrs.axis} on`);
      return [x!];
    },
    macs: none,
  },
  Constant: {
    infer: ({ attrs: { shape, value } }) => {
      check(value.length === sizeOf(shape), `${value.length} numbers are not the elements of [${shape.join(', ')}]`);
      return [shape];
    },
    macs: none,
  },
  Parameter: { infer: (_, [like], param) => [inferParameter(param('value'), like)], macs: none },
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
      checkRank(x!, 2, 'a linear layer is trained on matrices only: its input');
      check(node.params.bias !== undefined, 'a linear layer without bias is not trained');
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
