/** Depthwise 3×3 RepConv in train mode: moments by lags or products, one folded kernel, gradients by border classes. */
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import type { RepConvAttrs } from '../../../graph/kinds.ts';
import { type Branch, branchesOf } from '../../../graph/rep-conv.ts';
import { pad8 } from '../layout.ts';
import type { Ref } from '../memory.ts';
import { fusedRelu, fusedReluGrad, inputOf, type LowerContext, makeOutput, rows } from './context.ts';
import { firstOf } from './dense.ts';

interface Saved {
  readonly mean: Ref;
  readonly covariance: Ref;
  readonly kernel: Ref;
  readonly inverse: Ref;
}

/** Rows of partial moments (kernels/depthwise.ts). */
const MOMENT_ROWS = { 1: 38, 2: 54 } as const;
/** Up to this many positions the moments are taken from centered patches, in two passes (see dense.ts). */
const DIRECT_POSITIONS = 256;
/** Entries of the packed 9 × 9 covariance. */
const PAIRS = 45;

function checkSupported(name: string, attrs: RepConvAttrs): void {
  if (attrs.kernel_size !== 3 || attrs.dilation !== 1) {
    throw new TypeError(
      `node "${name}": the wasm engine trains depthwise convolutions of kernel 3 and dilation 1 only, not ${attrs.kernel_size} and ${attrs.dilation}`,
    );
  }
}

/** Weights of the first conv branch and of the scale branch; 0 where there is none. */
function kernels(context: LowerContext, branches: readonly Branch[], arena: 'param' | 'grad'): [Ref | 0, Ref | 0] {
  const find = (type: 'conv' | 'scale'): Ref | 0 => {
    const branch = branches.find((candidate) => candidate.type === type);
    return branch && branch.type !== 'skip' ? context.state.refOf(branch.weight, arena) : 0;
  };
  return [find('conv'), find('scale')];
}

export function lowerDepthwiseForward(context: LowerContext, node: NodeOf<'RepConv'>): void {
  const { emitter } = context;
  const { attrs } = node;
  checkSupported(node.name, attrs);
  const x = inputOf(context, node, 0);
  const fixed = !attrs.training;
  const momentum = fixed ? emitter.zeros(8) : inputOf(context, node, 1).ref;
  const y = makeOutput(context, node.outputs[0]!);
  const { threads: nt } = emitter;
  const C = pad8(attrs.in_chs);
  const P = rows(y);
  const branches = branchesOf(node);

  const mean = fixed ? emitter.zeros(9 * C) : emitter.scratch(9 * C);
  const covariance = fixed ? emitter.zeros(PAIRS * C) : emitter.scratch(PAIRS * C);
  let partial: Ref | 0 = 0;
  if (fixed) {
    // Nothing is measured.
  } else if (P <= DIRECT_POSITIONS) {
    const scratch = emitter.scratch(nt * 36);
    emitter.emit(op.DW_MOMENTS_DIRECT, x.ref, x.n, x.h, x.w, C, attrs.stride, mean, covariance, scratch);
  } else {
    const momentRows = MOMENT_ROWS[attrs.stride];
    partial = emitter.scratch(nt * momentRows * C);
    const perThread = (momentRows + 4 * (x.w + 4)) * C;
    const scratch = emitter.scratch(nt * perThread);
    emitter.emit(op.DW_MOMENTS, x.ref, x.n, x.h, x.w, C, attrs.stride, partial, scratch, perThread * 4);
  }
  const kernel = emitter.scratch(9 * C);
  const bias = emitter.scratch(C);
  const inverse = emitter.scratch(branches.length * C);
  const [conv, scale] = kernels(context, branches, 'param');
  emitter.emit(
    op.DW_FOLD,
    partial,
    attrs.stride,
    C,
    { float: 1 / P },
    { float: P / Math.max(1, P - 1) },
    mean,
    covariance,
    conv,
    attrs.num_conv_branches,
    scale,
    Number(attrs.skip),
    firstOf(context, branches, 'weight'),
    firstOf(context, branches, 'bias'),
    firstOf(context, branches, 'running_mean'),
    firstOf(context, branches, 'running_var'),
    inverse,
    kernel,
    bias,
    momentum,
    { float: attrs.epsilon },
    Number(fixed),
  );
  emitter.emit(
    op.DW_FORWARD,
    x.ref,
    kernel,
    bias,
    y.ref,
    x.n,
    x.h,
    x.w,
    C,
    attrs.stride,
    Number(fusedRelu(context, node)),
  );
  context.saved.set(node.name, { mean, covariance, kernel, inverse } satisfies Saved);
}

export function lowerDepthwiseGrad(context: LowerContext, node: NodeOf<'RepConvGrad'>): void {
  const { emitter, state } = context;
  const { attrs } = node;
  const x = inputOf(context, node, 0);
  const dz = inputOf(context, node, 1);
  const saved = context.saved.get(attrs.forward) as Saved;
  const { threads: nt } = emitter;
  const C = pad8(attrs.in_chs);
  const P = rows(dz);
  const branches = branchesOf(node);

  const fixed = !attrs.training;
  const direct = P <= DIRECT_POSITIONS;
  const partial = emitter.scratch((direct ? 1 : nt) * 10 * C);
  if (direct) {
    emitter.emit(op.DW_CORRELATE_DIRECT, x.ref, dz.ref, x.n, x.h, x.w, C, attrs.stride, saved.mean, partial);
  } else {
    const perThread = (10 + 4 * (x.w + 4)) * C;
    const scratch = emitter.scratch(nt * perThread);
    emitter.emit(op.DW_CORRELATE, x.ref, dz.ref, x.n, x.h, x.w, C, attrs.stride, partial, scratch, perThread * 4);
  }
  const classes = attrs.stride === 1 ? 4 : 3;
  const table = emitter.scratch(classes * classes * 26 * C);
  const [conv, scale] = kernels(context, branches, 'param');
  const [dConv, dScale] = kernels(context, branches, 'grad');
  emitter.emit(
    op.DW_FOLD_GRAD,
    partial,
    attrs.stride,
    C,
    { float: fixed ? 0 : 1 / P },
    saved.mean,
    saved.covariance,
    conv,
    attrs.num_conv_branches,
    scale,
    Number(attrs.skip),
    firstOf(context, branches, 'weight'),
    saved.inverse,
    saved.kernel,
    dConv,
    dScale,
    state.refOf(branches[0]!.norm.weight, 'grad'),
    state.refOf(branches[0]!.norm.bias, 'grad'),
    table,
    emitter.scratch((PAIRS + 9) * C),
    x.h,
    x.w,
    Number(attrs.needsInputGrad),
    Number(direct),
    { float: attrs.epsilon },
    fixed ? firstOf(context, branches, 'running_mean') : 0,
  );
  if (!attrs.needsInputGrad) return;
  const dx = makeOutput(context, node.outputs[0]!);
  const gradScratch = 32 + 6 * (x.w + 4) * C + 4 * (dz.w + 2) * C;
  emitter.emit(
    op.DW_INPUT_GRAD,
    x.ref,
    dz.ref,
    dx.ref,
    saved.kernel,
    table,
    x.n,
    x.h,
    x.w,
    C,
    attrs.stride,
    Number(fusedReluGrad(context, node)),
    emitter.scratch(nt * gradScratch),
    gradScratch * 4,
  );
}
