/** Products of two activations: the right one is packed into panels, the left one is read where it is, and the rest is the dense kernel's. */
import * as op from '../../../../kernels/opcodes.ts';
import { type Shape, sizeOf } from '../../../core/tensor.ts';
import type { NodeOf } from '../../../graph/graph.ts';
import { pad8 } from '../layout.ts';
import { type Dimension, dimensionsOf, inOrder, inRows, makeRows, setView, viewOf } from './arrange.ts';
import type { LowerContext } from './context.ts';
import { type Axis, broadcasted, rowAxes, shapeOf, stepOf, type View } from './view.ts';

/** Axes before a matrix's two that the kernels know. */
const BATCH_DIMENSIONS = 2;

/** The axes of matrices, one after the other, `size` floats each. */
function matrixAxes(batch: Shape, size: number): Axis[] {
  return rowAxes([...batch, 1], size).slice(0, -1);
}

/** Lengths and steps of the axes before, the first ones of length 1. */
function batchWords(batch: readonly Dimension[], operand: number): { lengths: number[]; steps: number[] } {
  const all = [...Array<Dimension>(BATCH_DIMENSIONS - batch.length).fill({ size: 1, steps: [0, 0, 0] }), ...batch];
  return { lengths: all.map(({ size }) => size), steps: all.map(({ steps }) => steps[operand]!) };
}

/** The right matrices in panels, one after the other. */
function packed(context: LowerContext, given: View): View {
  const { emitter } = context;
  const shape = shapeOf(given.axes);
  const [batch, K, N] = [shape.slice(0, -2), shape.at(-2)!, shape.at(-1)!];
  const size = K * pad8(N);
  const axes = matrixAxes(batch, size);
  const dimensionsFor = (view: View): Dimension[] => inOrder(dimensionsOf([axes, view.axes.slice(0, -2)]));
  const even = given.axes.slice(-2).every((axis) => stepOf(axis) !== undefined);
  const view = even && dimensionsFor(given).length <= BATCH_DIMENSIONS ? given : inRows(context, given);
  const [down, across] = view.axes.slice(-2).map((axis) => stepOf(axis)!) as [number, number];
  const { lengths, steps } = batchWords(dimensionsFor(view), 1);
  const panels = emitter.scratch(sizeOf(batch) * size);
  emitter.emit(op.PACK_MATRICES, view.ref, ...steps, down, across, panels, ...lengths, K, N);
  return { ref: panels, axes, padded: true };
}

/**
 * Where the product goes: in rows, but where only a Transpose reads it, with the matrices of the last axis before side by side, as the
 * heads of an attention are joined.
 */
function makeProduct(context: LowerContext, name: string): View {
  const shape = context.shapes.get(name)!;
  const [heads = 1, M, N] = shape.slice(-3) as [number, number, number];
  if (shape.length < 3 || N % 8 || context.onlyReader(name)?.kind !== 'Transpose') return makeRows(context, shape);
  const before = matrixAxes(shape.slice(0, -3), heads * M * N);
  const ref = context.emitter.scratch(sizeOf(shape));
  const side = rowAxes([M, heads, N]) as [Axis, Axis, Axis];
  return { ref, axes: [...before, side[1], side[0], side[2]], padded: true };
}

export function lowerMatMul(context: LowerContext, node: NodeOf<'MatMul'>): void {
  const { emitter } = context;
  const [name] = node.outputs as [string];
  const shape = context.shapes.get(name)!;
  const [batch, M, N] = [shape.slice(0, -2), shape.at(-2)!, shape.at(-1)!];
  const [first, second] = node.inputs.map((input) => viewOf(context, input)) as [View, View];
  const K = shapeOf(first.axes).at(-1)!;
  const readable = stepOf(first.axes.at(-2)!) !== undefined && (K === 1 || stepOf(first.axes.at(-1)!) === 1);
  let a = broadcasted(readable ? first : inRows(context, first), [...batch, M, K]);
  let panels = packed(context, second);
  let y = makeProduct(context, name);
  const allBatches = (): Dimension[] => {
    const [out, left] = [y.axes.slice(0, -2), a.axes.slice(0, -2)];
    return inOrder(dimensionsOf([out, left, broadcasted(panels, batch).axes]));
  };
  let dimensions = allBatches();
  if (dimensions.length > BATCH_DIMENSIONS) {
    a = inRows(context, a);
    panels = packed(context, inRows(context, broadcasted(second, [...batch, K, N])));
    y = makeRows(context, shape);
    dimensions = allBatches();
  }
  const [out, left, right] = [0, 1, 2].map((operand) => batchWords(dimensions, operand).steps) as [
    number[],
    number[],
    number[],
  ];
  const rowOf = (view: View): number => stepOf(view.axes.at(-2)!)!;
  emitter.emit(
    op.MAT_MUL,
    a.ref,
    ...left,
    rowOf(a),
    panels.ref,
    ...right,
    emitter.zeros(pad8(N)),
    y.ref,
    ...out,
    rowOf(y),
    ...batchWords(dimensions, 0).lengths,
    M,
    K,
    pad8(N),
  );
  setView(context, name, y);
}
