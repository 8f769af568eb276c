/** Dense RepConv (pointwise, or any kernel through im2col): forward in train mode and gradients, in one convolution. */
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import type { RepConvAttrs } from '../../../graph/kinds.ts';
import { type Branch, branchesOf } from '../../../graph/rep-conv.ts';
import { pad8 } from '../layout.ts';
import type { Ref } from '../memory.ts';
import { fusedRelu, fusedReluGrad, inputOf, type LowerContext, makeOutput, rows, type Value } from './context.ts';
import { emitCorrelate } from './correlate.ts';
import { foldInputGrad, type Window } from './fold.ts';
import { rowLength } from './layouts.ts';

/** What the forward leaves for the gradient. */
interface Saved {
  /** Rows that the products read: the patches, centered if there are few. */
  readonly columns: Ref;
  readonly centered: boolean;
  readonly mean: Ref;
  readonly weighted: Ref;
  readonly columnPanels: Ref;
  readonly inverse: Ref;
}

interface Sizes {
  readonly positions: number;
  /** Length of a patch, padded. */
  readonly K: number;
  /** Output channels, padded. */
  readonly O: number;
  /** Branches with a kernel: conv and scale. */
  readonly J: number;
  readonly convs: number;
  readonly skip: 0 | 1;
  /** First column of the center tap. */
  readonly center: number;
}

function sizesOf(attrs: RepConvAttrs, x: Value, positions: number): Sizes {
  const taps = attrs.kernel_size ** 2;
  return {
    positions,
    K: rowLength(taps, x.stride),
    O: pad8(attrs.out_chs),
    J: attrs.num_conv_branches + Number(attrs.scale),
    convs: attrs.num_conv_branches,
    skip: attrs.skip ? 1 : 0,
    center: ((taps - 1) / 2) * x.stride,
  };
}

/**
 * Up to this many positions the rows are centered before their moments are taken: with few, variances may be small
 * against squared means, and the covariance from raw moments would cancel.
 */
const CENTERED_POSITIONS = 2048;

/** Place of the first branch's parameter of a role; the others follow it. */
export function firstOf(
  context: LowerContext,
  branches: readonly Branch[],
  role: 'weight' | 'bias' | 'running_mean' | 'running_var',
): Ref {
  return context.state.refOf(branches[0]!.norm[role]);
}

/** Patches of x as rows: x itself for a pointwise convolution of stride 1. */
export function patches(
  context: LowerContext,
  x: Value,
  out: { h: number; w: number },
  conv: Window,
): { ref: Ref; K: number } {
  const [kh, kw] = conv.kernel;
  const K = rowLength(kh * kw, x.stride);
  const pointwise = kh === 1 && kw === 1 && conv.stride === 1 && conv.top === 0 && conv.left === 0;
  if (pointwise && out.h === x.h && out.w === x.w && K === x.stride) return { ref: x.ref, K };
  const ref = context.emitter.scratch(x.n * out.h * out.w * K);
  context.emitter.emit(
    op.IM2COL,
    x.ref,
    ref,
    x.n,
    x.h,
    x.w,
    x.stride,
    out.h,
    out.w,
    kh,
    kw,
    conv.stride,
    conv.top,
    conv.left,
    conv.dilation,
    K,
  );
  return { ref, K };
}

function windowOf({ kernel_size, stride, dilation }: RepConvAttrs): Window {
  const pad = ((kernel_size - 1) / 2) * dilation;
  return { kernel: [kernel_size, kernel_size], stride, top: pad, left: pad, dilation };
}

/**
 * Train mode: moments of the input → statistics of every branch → one kernel → one product. With fixed statistics (eval mode inside a
 * training step) there are no moments to take.
 */
export function lowerDenseForward(context: LowerContext, node: NodeOf<'RepConv'>): void {
  const { emitter } = context;
  const { attrs } = node;
  const x = inputOf(context, node, 0);
  const fixed = !attrs.training;
  const momentum = fixed ? emitter.zeros(8) : inputOf(context, node, 1).ref;
  const y = makeOutput(context, node.outputs[0]!);
  const { ref: raw } = patches(context, x, y, windowOf(attrs));
  const { positions: P, K, O, J, skip, center } = sizesOf(attrs, x, rows(y));
  const branches = branchesOf(node);
  const weights = J > 0 ? context.state.refOf((branches[0] as { weight: string }).weight) : emitter.zeros(8);

  const centered = !fixed && P <= CENTERED_POSITIONS;
  const { columns, mean, diagonal, weighted } = fixed
    ? { columns: raw, mean: emitter.zeros(K), diagonal: emitter.zeros(K), weighted: emitter.zeros(8) }
    : emitMoments(emitter, raw, weights, { P, K, rows: J * O, centered });
  const kernel = emitter.scratch(O * K);
  const rowPanels = emitter.scratch(O * K);
  const columnPanels = emitter.scratch(O * K);
  const bias = emitter.scratch(O);
  const inverse = emitter.scratch((J + skip) * O);
  emitter.emit(
    op.FOLD_DENSE,
    weights,
    weighted,
    J,
    O,
    K,
    firstOf(context, branches, 'weight'),
    firstOf(context, branches, 'bias'),
    firstOf(context, branches, 'running_mean'),
    firstOf(context, branches, 'running_var'),
    mean,
    diagonal,
    skip,
    center,
    kernel,
    rowPanels,
    columnPanels,
    bias,
    inverse,
    momentum,
    { float: P / Math.max(1, P - 1) },
    { float: attrs.epsilon },
    Number(centered),
    Number(fixed),
  );
  emitter.emit(op.GEMM, columns, K, rowPanels, bias, y.ref, O, P, K, O, Number(fusedRelu(context, node)));
  context.saved.set(node.name, { columns, centered, mean, weighted, columnPanels, inverse } satisfies Saved);
}

/** Mean and covariance of the rows of the input, and the covariance times every kernel. */
function emitMoments(
  emitter: LowerContext['emitter'],
  raw: Ref,
  weights: Ref,
  { P, K, rows: kernels, centered }: { P: number; K: number; rows: number; centered: boolean },
): { columns: Ref; mean: Ref; diagonal: Ref; weighted: Ref } {
  const mean = emitter.scratch(K);
  const columns = centered ? emitter.scratch(P * K) : raw;
  if (centered) emitter.emit(op.CENTER, raw, columns, mean, P, K);
  const moments = { a: columns, b: columns, rows: P, Ca: K, Cb: K, upper: true, sums: !centered };
  const { partial, sums } = emitCorrelate(emitter, moments);
  const covariance = emitter.scratch(K * K);
  const diagonal = emitter.scratch(K);
  emitter.emit(op.REDUCE_MOMENTS, partial, sums, mean, covariance, diagonal, K, { float: 1 / P });
  const weighted = emitter.scratch(Math.max(8, kernels * K));
  emitter.emit(op.GEMM, weights, K, covariance, emitter.zeros(K), weighted, K, kernels, K, K, 0);
  return { columns, mean, diagonal, weighted };
}

/** Gradients of all branches from one product dzᵀ·x, and dx from both operands in one pass. */
export function lowerDenseGrad(context: LowerContext, node: NodeOf<'RepConvGrad'>): void {
  const { emitter, state } = context;
  const { attrs } = node;
  const x = inputOf(context, node, 0);
  const dz = inputOf(context, node, 1);
  const saved = context.saved.get(attrs.forward) as Saved;
  const { positions: P, K, O, J, convs, skip, center } = sizesOf(attrs, x, rows(dz));
  const branches = branchesOf(node);
  const first = J > 0 ? (branches[0] as { weight: string }).weight : undefined;
  const weights = first ? state.refOf(first) : emitter.zeros(8);
  const mean = saved.centered ? emitter.zeros(K) : saved.mean;
  const fixed = !attrs.training;

  const products = { a: dz.ref, b: saved.columns, rows: P, Ca: O, Cb: K, sums: true };
  const { partial, sums } = emitCorrelate(emitter, products);
  const scaled = emitter.scratch(fixed ? 8 : Math.max(8, J * O * K));
  const skipCurvature = emitter.scratch(O);
  const g0 = emitter.scratch(O);
  emitter.emit(
    op.FOLD_DENSE_GRAD,
    partial,
    sums,
    weights,
    saved.weighted,
    J,
    O,
    K,
    firstOf(context, branches, 'weight'),
    saved.inverse,
    mean,
    skip,
    center,
    first ? state.refOf(first, 'grad') : emitter.zeros(8),
    state.refOf(branches[0]!.norm.weight, 'grad'),
    state.refOf(branches[0]!.norm.bias, 'grad'),
    scaled,
    skipCurvature,
    g0,
    convs,
    center,
    center + x.stride,
    fixed ? firstOf(context, branches, 'running_mean') : 0,
  );
  if (!attrs.needsInputGrad) return;
  if (fixed) {
    emitFixedInputGrad(context, node, saved.columnPanels, { P, K, O });
    return;
  }
  const squares = { a: weights, b: scaled, rows: J * O, Ca: K, Cb: K, upper: true };
  const { partial: curvaturePartial } = emitCorrelate(emitter, squares);
  const curvature = emitter.scratch(K * K);
  emitter.emit(op.REDUCE_CURVATURE, curvaturePartial, skip ? skipCurvature : 0, center, O, curvature, K, {
    float: 2 / P,
  });
  const constant = emitter.scratch(K);
  emitter.emit(op.INPUT_GRAD_CONSTANT, saved.columnPanels, g0, curvature, mean, constant, K, O, { float: 1 / P });
  const emitProduct = (out: Ref, mask: Ref | 0): void =>
    emitter.emit(
      op.GEMM_INPUT_GRAD,
      dz.ref,
      saved.columnPanels,
      saved.columns,
      curvature,
      constant,
      out,
      P,
      K,
      O,
      mask,
    );
  if (attrs.kernel_size > 1 || attrs.stride > 1) {
    foldInputGrad(context, node, K, windowOf(attrs), (out) => emitProduct(out, 0));
    return;
  }
  const dx = makeOutput(context, node.outputs[0]!);
  emitProduct(dx.ref, fusedReluGrad(context, node) ? x.ref : 0);
}

/** dx with fixed statistics: dz · W alone. */
function emitFixedInputGrad(
  context: LowerContext,
  node: NodeOf<'RepConvGrad'>,
  columnPanels: Ref,
  { P, K, O }: { P: number; K: number; O: number },
): void {
  const { emitter } = context;
  const [x, dz] = [inputOf(context, node, 0), inputOf(context, node, 1)];
  const emitProduct = (out: Ref): void =>
    emitter.emit(op.GEMM, dz.ref, O, columnPanels, emitter.zeros(K), out, K, P, O, K, 0);
  const { kernel_size, stride } = node.attrs;
  if (kernel_size > 1 || stride > 1) {
    foldInputGrad(context, node, K, windowOf(node.attrs), emitProduct);
    return;
  }
  const dx = makeOutput(context, node.outputs[0]!);
  emitProduct(dx.ref);
  if (fusedReluGrad(context, node)) emitter.emit(op.RELU_GRAD, x.ref, dx.ref, dx.ref, P * K);
}
