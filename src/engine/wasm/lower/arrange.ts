/** Where the tensors of a graph are found as views, how new ones are made, and the copies that put elements into another order. */
import * as op from '../../../../kernels/opcodes.ts';
import { type Shape, sizeOf } from '../../../core/tensor.ts';
import type { Node } from '../../../graph/graph.ts';
import { pad8 } from '../layout.ts';
import type { Ref } from '../memory.ts';
import { type LowerContext, makeOutput, type Value, valueAt } from './context.ts';
import {
  type Axis,
  alike,
  broadcasted,
  lengthOf,
  type Run,
  reshaped,
  rowAxes,
  usualAxes,
  type View,
  viewOfValue,
} from './view.ts';

/** Dimensions of the instruction COPY. */
const COPY_DIMENSIONS = 8;

/** A tensor by name, as it lies. */
export function viewOf(context: LowerContext, name: string): View {
  const value = context.values.get(name);
  if (value) return viewOfValue(value, context.shapes.get(name)!);
  const view = context.views.get(name);
  if (!view) throw new Error(`internal error: "${name}" was not lowered before it is read`);
  return view;
}

/** A view as every rule reads it, if it lies so. */
function asValue(context: LowerContext, name: string, view: View): Value | undefined {
  const shape = context.shapes.get(name)!;
  const value = valueAt(view.ref, shape, context.strideOf(name));
  return alike(view.axes, usualAxes(shape, value)) && (view.padded || value.c === value.stride) ? value : undefined;
}

/** Registers a node's output; what leaves the graph is put in the usual order. */
export function setView(context: LowerContext, name: string, view: View): void {
  const value = asValue(context, name, view);
  if (value) context.values.set(name, value);
  else context.views.set(name, view);
  if (!value && Object.values(context.graph.outputs).includes(name)) arrange(context, name);
}

/** Sees to it that a value lies in the usual order: images `[N, H, W, C]`, all others in padded rows. */
export function arrange(context: LowerContext, name: string): void {
  const view = context.views.get(name);
  if (!view || context.values.has(name)) return;
  const value = makeOutput(context, name);
  copyTo(context, view, viewOfValue(value, context.shapes.get(name)!), value.c);
}

/** A new buffer for a shape, in rows. */
export function makeRows({ emitter }: LowerContext, shape: Shape): View {
  const stride = pad8(shape.at(-1) ?? 1);
  return { ref: emitter.scratch((sizeOf(shape) / (shape.at(-1) ?? 1)) * stride), axes: rowAxes(shape), padded: true };
}

/** The same tensor in rows, copied if it does not lie so. */
export function inRows(context: LowerContext, view: View): View {
  const shape = view.axes.map(lengthOf);
  const rows = makeRows(context, shape);
  if (alike(view.axes, rows.axes) && (view.padded || shape.at(-1)! % 8 === 0)) return view;
  copyTo(context, view, rows, shape.at(-1) ?? 1);
  return rows;
}

/** The same tensor without gaps, in the order of its shape. */
export function inLine(context: LowerContext, view: View): View {
  const shape = view.axes.map(lengthOf);
  const line = {
    ref: context.emitter.scratch(pad8(sizeOf(shape))),
    axes: rowAxes(shape, shape.at(-1) ?? 1),
    padded: false,
  };
  copyTo(context, view, line, 0, 0);
  return line;
}

/** One dimension of several operands: its length and the step of each. */
export interface Dimension {
  readonly size: number;
  readonly steps: readonly number[];
}

/** The dimensions over which all operands have even steps, each as long as it can be; the first operand's axes are cut where any other's are. */
export function dimensionsOf(operands: readonly (readonly Axis[])[]): Dimension[] {
  const dimensions: Dimension[] = [];
  for (const index of operands[0]!.keys()) {
    const stacks = operands.map((axes) => [...axes[index]!]);
    const cut: Dimension[] = [];
    while (stacks.some((runs) => runs.length)) {
      const inner = stacks.map((runs) => runs.pop()!);
      const size = Math.min(...inner.map((run) => run.size));
      inner.forEach((run: Run, i) => {
        if (run.size % size) throw new Error('internal error: axes that can not be cut alike');
        if (run.size > size) stacks[i]!.push({ size: run.size / size, step: run.step * size });
      });
      cut.unshift({ size, steps: inner.map(({ step }) => step) });
    }
    dimensions.push(...cut);
  }
  return dimensions;
}

/** Dimensions in the order of the steps of the first operand, the innermost last; those that continue each other become one. */
export function inOrder(dimensions: readonly Dimension[]): Dimension[] {
  const result: Dimension[] = [];
  for (const dimension of dimensions.toSorted((a, b) => b.steps[0]! - a.steps[0]!)) {
    const before = result.at(-1);
    if (before?.steps.every((step, i) => step === dimension.steps[i]! * dimension.size))
      result[result.length - 1] = { size: before.size * dimension.size, steps: dimension.steps };
    else result.push(dimension);
  }
  return result;
}

/** The same with the last apart, along which the elements of the first operand lie side by side (of one element if they never do). */
export function withInnermost(operands: readonly (readonly Axis[])[]): [outer: Dimension[], inner: Dimension] {
  const dimensions = inOrder(dimensionsOf(operands));
  const inner = dimensions.at(-1)?.steps[0] === 1 ? dimensions.pop()! : { size: 1, steps: operands.map(() => 1) };
  return [dimensions, inner];
}

/** The words of an instruction for so many dimensions, the first ones of length 1. */
export function dimensionWords(dimensions: readonly Dimension[], count: number, order: readonly number[]): number[] {
  if (dimensions.length > count) throw new Error(`internal error: a tensor of more than ${count} dimensions`);
  const none = Array.from({ length: count - dimensions.length }, () => [1, ...order.map(() => 0)]);
  return [...none, ...dimensions.map(({ size, steps }) => [size, ...order.map((i) => steps[i]!)])].flat();
}

/** Zeros over all of a view's buffer. */
export function clear({ emitter }: LowerContext, { ref, axes }: View): void {
  const most = axes.flat().reduce((floats, { size, step }) => Math.max(floats, size * step), 1);
  const line = { size: pad8(most), steps: [1, 0] };
  emitter.emit(op.COPY, emitter.zeros(8), ref, 0, ...dimensionWords([line], COPY_DIMENSIONS, [1, 0]));
}

/** Copies a tensor to where `to` has its elements; `behind`: floats between rows of `channels` elements of `to`, which become zero. */
export function copyTo(
  context: LowerContext,
  from: View,
  to: View,
  channels: number,
  behind: number = pad8(channels) - channels,
): void {
  const [outer, inner] = withInnermost([to.axes, from.axes]);
  if (behind && inner.size !== channels) clear(context, to);
  // A dimension along which the elements of `from` lie side by side comes next, so that it is transposed in blocks.
  const beside = inner.steps[1] === 1 ? -1 : outer.findIndex(({ steps }) => steps[1] === 1);
  if (beside >= 0) outer.push(...outer.splice(beside, 1));
  const zeros = inner.size === channels ? behind : 0;
  const words = dimensionWords([...outer, inner], COPY_DIMENSIONS, [1, 0]);
  context.emitter.emit(op.COPY, from.ref, to.ref, zeros, ...words);
}

/** A view in another shape: copied without gaps where it must be. */
export function inShape(context: LowerContext, view: View, shape: Shape): View {
  return reshaped(view, shape) ?? reshaped(inLine(context, view), shape)!;
}

/** Registers the values of a state or a constant, which lie in rows, repeated to the shape of an output. */
export function setRows(context: LowerContext, name: string, ref: Ref, shape: Shape): void {
  const rows = { ref, axes: rowAxes(shape), padded: true };
  setView(context, name, broadcasted(rows, context.shapes.get(name)!));
}

/** Whether a node may write its output over an input, which nothing else reads. */
export function isOwn(context: LowerContext, node: Node, name: string): boolean {
  if (context.onlyReader(name) !== node) return false;
  const { buffer } = viewOf(context, name).ref;
  const all = [...context.values.values(), ...context.views.values()];
  return !buffer.persistent && all.filter(({ ref }) => ref.buffer === buffer).length === 1;
}
