/** RepConv, branch by branch as the paper defines it (§3.2): conv → BN for each branch, summed. */
import type { RepConvAttrs } from '../../graph/kinds.ts';
import { type Branch, branchesOf } from '../../graph/rep-conv.ts';
import { convLength } from '../../graph/shape-rules.ts';
import { type Array64, add, zeros } from './array.ts';
import { batchStatistics, fixedNormalizeGrad, normalize, normalizeGrad, updateRunning } from './batch-norm.ts';
import { type ConvGeometry, conv, convGrad } from './conv.ts';

/** Looks up a parameter or statistic by name; the arrays are the state itself. */
export type ParamOf = (name: string) => Array64;

interface RepConvNode {
  readonly attrs: RepConvAttrs;
  readonly params: Readonly<Record<string, string>>;
}

/** Geometry of a branch's convolution: a 1×1 kernel has no padding. */
function geometryOf(attrs: RepConvAttrs, x: Array64, kernel: number): ConvGeometry {
  const pad = ((kernel - 1) / 2) * attrs.dilation;
  const length = (size: number): number => convLength(size, kernel, attrs.stride, 2 * pad, attrs.dilation);
  return {
    stride: [attrs.stride, attrs.stride],
    pad: [pad, pad],
    dilation: [attrs.dilation, attrs.dilation],
    group: attrs.groups,
    size: [length(x.shape[2]!), length(x.shape[3]!)],
  };
}

/** What a branch puts into its BatchNorm. */
function convolved(branch: Branch, x: Array64, attrs: RepConvAttrs, param: ParamOf): Array64 {
  if (branch.type === 'skip') return x;
  const weight = param(branch.weight);
  return conv(x, weight, geometryOf(attrs, x, weight.shape[2]!));
}

/** z [N, O, H', W'] from x [N, I, H, W]. With `momentum`, train mode: batch statistics, which update the running ones. */
export function repConv(node: RepConvNode, x: Array64, param: ParamOf, momentum?: number): Array64 {
  const { epsilon } = node.attrs;
  const outputs = branchesOf(node).map((branch) => {
    const z = convolved(branch, x, node.attrs, param);
    const [weight, bias] = [param(branch.norm.weight).data, param(branch.norm.bias).data];
    const running = { mean: param(branch.norm.running_mean).data, variance: param(branch.norm.running_var).data };
    if (momentum === undefined) return normalize(z, { ...running, weight, bias, epsilon });
    const { mean, variance, count } = batchStatistics(z);
    updateRunning(running.mean, mean, momentum);
    updateRunning(
      running.variance,
      variance.map((v) => (v * count) / Math.max(1, count - 1)),
      momentum,
    );
    return normalize(z, { mean, variance, weight, bias, epsilon });
  });
  return outputs.reduce(add);
}

/** Gradients of RepConv, in train mode or with fixed statistics: dx, and the gradient of every learnable parameter by name. */
export function repConvGrad(
  node: RepConvNode,
  x: Array64,
  dy: Array64,
  param: ParamOf,
): { dx: Array64; grads: Map<string, Array64> } {
  const grads = new Map<string, Array64>();
  let dx = zeros(x.shape);
  for (const branch of branchesOf(node)) {
    const z = convolved(branch, x, node.attrs, param);
    const { epsilon, training } = node.attrs;
    const weight = param(branch.norm.weight).data;
    const mean = param(branch.norm.running_mean).data;
    const variance = param(branch.norm.running_var).data;
    const norm = training
      ? normalizeGrad(z, dy, { weight, epsilon })
      : fixedNormalizeGrad(z, dy, { mean, variance, weight, epsilon });
    grads.set(branch.norm.weight, norm.dweight);
    grads.set(branch.norm.bias, norm.dbias);
    if (branch.type === 'skip') {
      dx = add(dx, norm.dx);
      continue;
    }
    const kernel = param(branch.weight);
    const through = convGrad(x, kernel, norm.dx, geometryOf(node.attrs, x, kernel.shape[2]!));
    grads.set(branch.weight, through.dweight);
    dx = add(dx, through.dx);
  }
  return { dx, grads };
}
