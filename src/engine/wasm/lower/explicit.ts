/** Pointwise RepConv branch by branch: one product for all kernels, statistics of their outputs, gradients in place over them. */
import * as op from '../../../../kernels/opcodes.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import { branchesOf } from '../../../graph/rep-conv.ts';
import { pad8 } from '../layout.ts';
import type { Ref } from '../memory.ts';
import { fusedRelu, fusedReluGrad, inputOf, type LowerContext, makeOutput, rows, type Value } from './context.ts';
import { emitCorrelate } from './correlate.ts';
import { repConvCost } from './cost-model.ts';
import { firstOf } from './dense.ts';

/** What the forward leaves for the gradient. */
interface Saved {
  readonly form: 'explicit';
  readonly z: Ref;
  readonly mean: Ref;
  readonly inverse: Ref;
  readonly scale: Ref;
}

interface Sizes {
  readonly P: number;
  readonly K: number;
  readonly O: number;
  readonly J: number;
  readonly skip: 0 | 1;
}

function sizesOf(node: NodeOf<'RepConv'> | NodeOf<'RepConvGrad'>, x: Value): Sizes {
  const { attrs } = node;
  return { P: rows(x), K: x.stride, O: pad8(attrs.out_chs), J: attrs.num_conv_branches, skip: attrs.skip ? 1 : 0 };
}

/** Whether a node is trained branch by branch: only pointwise ones can be, and only where that is cheaper (or asked for). */
export function prefersExplicit(context: LowerContext, node: NodeOf<'RepConv'>): boolean {
  const { attrs } = node;
  if (!attrs.training || attrs.kernel_size > 1 || attrs.stride > 1 || attrs.num_conv_branches === 0) return false;
  const { P, K, O, J, skip } = sizesOf(node, inputOf(context, node, 0));
  const cost = repConvCost({ positions: P, K, O, branches: J, skip: skip > 0, needsInputGrad: true });
  const form = context.repConv === 'auto' ? cost.form : context.repConv;
  context.costs.set(node.name, { ...cost, form });
  return form === 'explicit';
}

/** Whether a node's forward was lowered branch by branch. */
export function isExplicit(context: LowerContext, forward: string): boolean {
  return (context.saved.get(forward) as Partial<Saved> | undefined)?.form === 'explicit';
}

export function lowerExplicitForward(context: LowerContext, node: NodeOf<'RepConv'>): void {
  const { emitter, state } = context;
  const x = inputOf(context, node, 0);
  const momentum = inputOf(context, node, 1).ref;
  const y = makeOutput(context, node.outputs[0]!);
  const { P, K, O, J, skip } = sizesOf(node, x);
  const nt = emitter.threads;
  const branches = branchesOf(node);
  const weights = state.refOf((branches[0] as { weight: string }).weight);
  const panels = emitter.scratch(J * O * K);
  emitter.emit(op.PACK_ROWS, weights, panels, J * O, K, K);
  const z = emitter.scratch(P * J * O);
  // Moments are pairs of f64: mean and sum of squares.
  const ofZ = emitter.scratch(nt * 4 * J * O);
  const ofX = skip ? emitter.scratch(nt * 4 * K) : 0;
  emitter.emit(op.EXPLICIT_FORWARD, x.ref, panels, emitter.zeros(J * O), z, ofZ, ofX, P, K, J * O);
  const [mean, inverse, scale] = [0, 1, 2].map(() => emitter.scratch((J + skip) * O)) as [Ref, Ref, Ref];
  const shift = emitter.scratch(O);
  emitter.emit(
    op.EXPLICIT_FOLD,
    ofZ,
    ofX,
    P,
    J,
    O,
    firstOf(context, branches, 'weight'),
    firstOf(context, branches, 'bias'),
    firstOf(context, branches, 'running_mean'),
    firstOf(context, branches, 'running_var'),
    mean,
    inverse,
    scale,
    shift,
    momentum,
    { float: P / Math.max(1, P - 1) },
    { float: node.attrs.epsilon },
  );
  const relu = Number(fusedRelu(context, node));
  emitter.emit(op.EXPLICIT_OUTPUT, z, skip ? x.ref : 0, scale, shift, y.ref, P, J, O, relu);
  context.saved.set(node.name, { form: 'explicit', z, mean, inverse, scale } satisfies Saved);
}

export function lowerExplicitGrad(context: LowerContext, node: NodeOf<'RepConvGrad'>): void {
  const { emitter, state } = context;
  const x = inputOf(context, node, 0);
  const dz = inputOf(context, node, 1);
  const { z, mean, inverse, scale } = context.saved.get(node.attrs.forward) as Saved;
  const { P, K, O, J, skip } = sizesOf(node, x);
  const nt = emitter.threads;
  const branches = branchesOf(node);
  const first = (branches[0] as { weight: string }).weight;
  const partial = emitter.scratch(nt * 2 * (J + skip + 1) * O);
  emitter.emit(op.EXPLICIT_REDUCE, dz.ref, z, skip ? x.ref : 0, mean, partial, P, J, O);
  const coefficients = emitter.scratch(3 * (J + skip) * O);
  emitter.emit(
    op.EXPLICIT_FOLD_GRAD,
    partial,
    J,
    O,
    skip,
    mean,
    inverse,
    scale,
    state.refOf(branches[0]!.norm.weight, 'grad'),
    state.refOf(branches[0]!.norm.bias, 'grad'),
    coefficients,
    { float: 1 / P },
  );
  const { needsInputGrad } = node.attrs;
  let panels: Ref | 0 = 0;
  if (needsInputGrad) {
    panels = emitter.scratch(J * O * K);
    emitter.emit(op.PACK_COLUMNS, state.refOf(first), panels, J * O, K);
  }
  emitter.emit(
    op.EXPLICIT_INPUT_GRAD,
    dz.ref,
    z,
    x.ref,
    coefficients,
    panels,
    emitter.zeros(K),
    needsInputGrad ? makeOutput(context, node.outputs[0]!).ref : 0,
    P,
    J,
    O,
    K,
    skip,
    needsInputGrad && fusedReluGrad(context, node) ? x.ref : 0,
  );
  const { partial: products } = emitCorrelate(emitter, { a: z, b: x.ref, rows: P, Ca: J * O, Cb: K });
  emitter.emit(op.REDUCE_SUM, products, state.refOf(first, 'grad'), J * O * K);
}
