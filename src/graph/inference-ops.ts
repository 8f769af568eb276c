/**
 * Shape rules and costs of the kinds that MobileOne's inference needs: a page that only classifies has no others. `ops.ts` goes on
 * with the rest.
 */
import { type Shape, sizeOf } from '../core/tensor.ts';
import type { NodeOf } from './graph.ts';
import type { ConvAttrs, OpKind, RepConvAttrs } from './kinds.ts';
import { branchesOf, kernelShape } from './rep-conv.ts';
import {
  broadcastShape,
  check,
  checkRank,
  checkSame,
  convLength,
  none,
  type OpRule,
  positions,
  same,
} from './shape-rules.ts';

export function inferRepConv(attrs: RepConvAttrs, x: Shape): Shape {
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

export function inferConv(attrs: ConvAttrs, x: Shape, weight: Shape): Shape {
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

export function repConvMacs(node: NodeOf<'RepConv'> | NodeOf<'RepConvGrad'>, out: Shape): number {
  const [o, i, kh, kw] = kernelShape(node.attrs);
  return branchesOf(node)
    .map((branch) => (branch.type === 'conv' ? o * i * kh * kw : branch.type === 'scale' ? o * i : 0))
    .reduce((sum, macs) => sum + macs * positions(out), 0);
}

export const convMacs = (attrs: ConvAttrs, x: Shape, out: Shape): number =>
  positions(out) * out[1]! * (x[1]! / attrs.group) * attrs.kernel_shape[0] * attrs.kernel_shape[1];

/** Those kinds. */
export type InferenceKind = Extract<
  OpKind,
  | 'Preprocess'
  | 'RepConv'
  | 'Conv'
  | 'BatchNormalization'
  | 'Relu'
  | 'Sigmoid'
  | 'Add'
  | 'Mul'
  | 'GlobalAveragePool'
  | 'Flatten'
  | 'Gemm'
  | 'Softmax'
>;

export const INFERENCE_OPS: { readonly [K in InferenceKind]: OpRule<K> } = {
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
  Add: { infer: (_, [a, b]) => [broadcastShape(a!, b!)], macs: none },
  Mul: { infer: (_, [a, b]) => [broadcastShape(a!, b!)], macs: none },
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
      const [out, features] = param('weight');
      check(x!.length > 1 && x!.at(-1) === features, `input is [${x!.join(', ')}], expected ${features} features`);
      return [[...x!.slice(0, -1), out!]];
    },
    macs: (_, [x], [out]) => sizeOf(x!) * out!.at(-1)!,
  },
  Softmax: { infer: same, macs: none },
};
