/**
 * Tensors as they lie in memory: every axis has its steps in floats. Turning, cutting and most reshaping of a tensor then move nothing;
 * whoever needs the elements in another order copies them (`arrange.ts`).
 */
import { type Shape, sizeOf } from '../../../core/tensor.ts';
import { pad8 } from '../layout.ts';
import { type Ref, refAt } from '../memory.ts';
import type { Value } from './context.ts';

/** Elements a fixed number of floats apart. */
export interface Run {
  readonly size: number;
  readonly step: number;
}

/** An axis: runs inside runs, the innermost last; of length 1 if there are none. */
export type Axis = readonly Run[];

export interface View {
  readonly ref: Ref;
  readonly axes: readonly Axis[];
  /** Whether zeros fill each row up to a multiple of eight, where the innermost axis is the last of a row. */
  readonly padded: boolean;
}

/** Without runs of length 1, and runs that continue each other as one. */
function joined(runs: Axis): Axis {
  const result: Run[] = [];
  for (const run of runs) {
    if (run.size === 1) continue;
    const before = result.at(-1);
    if (before && before.step === run.step * run.size)
      result[result.length - 1] = { size: before.size * run.size, step: run.step };
    else result.push(run);
  }
  return result;
}

/** Length of an axis. */
export function lengthOf(axis: Axis): number {
  return axis.reduce((product, { size }) => product * size, 1);
}

/** The shape of a view. */
export function shapeOf(axes: readonly Axis[]): Shape {
  return axes.map(lengthOf);
}

/** The step of an axis that is one run; undefined if it is several. */
export function stepOf(axis: Axis): number | undefined {
  return axis.length < 2 ? (axis[0]?.step ?? 0) : undefined;
}

/** Axes one inside the other, the last with elements side by side, its rows `stride` floats apart. */
export function rowAxes(shape: Shape, stride: number = pad8(shape.at(-1) ?? 1)): Axis[] {
  let step = stride;
  const before = shape.slice(0, -1).reduceRight<Axis[]>((axes, size) => {
    axes.unshift(joined([{ size, step }]));
    step *= size;
    return axes;
  }, []);
  return shape.length ? [...before, joined([{ size: shape.at(-1)!, step: 1 }])] : [];
}

/** How a value of a shape lies that every rule can read: images `[N, H, W, C]`, all others in rows. */
export function usualAxes(shape: Shape, { h, w, stride }: Value): Axis[] {
  if (shape.length === 1) return [joined([{ size: shape[0]!, step: stride }])];
  if (shape.length !== 4) return rowAxes(shape, stride);
  const [n, c] = shape as [number, number];
  const sizes = [n, c, h, w];
  return [h * w * stride, 1, w * stride, stride].map((step, i) => joined([{ size: sizes[i]!, step }]));
}

export function viewOfValue(value: Value, shape: Shape): View {
  return { ref: value.ref, axes: usualAxes(shape, value), padded: true };
}

/** Axis i of the result is axis perm[i]. */
export function transposed(view: View, perm: readonly number[]): View {
  return { ...view, axes: perm.map((axis) => view.axes[axis]!) };
}

/** The same elements in another shape; undefined where an axis of it would have to end in the middle of a run. */
export function reshaped(view: View, shape: Shape): View | undefined {
  const runs = [...joined(view.axes.flat())];
  const axes: Axis[] = [];
  for (const size of [...shape].reverse()) {
    const axis: Run[] = [];
    let left = size;
    while (left > 1) {
      const run = runs.pop()!;
      const taken = Math.min(run.size, left);
      if (run.size % taken || left % taken) return undefined;
      axis.unshift({ size: taken, step: run.step });
      if (taken < run.size) runs.push({ size: run.size / taken, step: run.step * taken });
      left /= taken;
    }
    axes.unshift(joined(axis));
  }
  return { ...view, axes };
}

/** Elements `start` and on of an axis; undefined where the axis is not one run. */
export function sliced(view: View, axis: number, start: number, length: number): View | undefined {
  const step = stepOf(view.axes[axis]!);
  if (step === undefined) return undefined;
  const axes = view.axes.map((runs, i) => (i === axis ? joined([{ size: length, step }]) : runs));
  return { ref: refAt(view.ref, 4 * start * step), axes, padded: view.padded && step !== 1 };
}

/** Axes of length 1 repeated to a shape, without moving anything; missing ones come first. */
export function broadcasted(view: View, shape: Shape): View {
  const missing = shape.length - view.axes.length;
  const axes = shape.map((size, i): Axis => {
    const axis = view.axes[i - missing] ?? [];
    return axis.length || size === 1 ? axis : [{ size, step: 0 }];
  });
  return { ...view, axes };
}

/**
 * All elements as rows of `c` with less than eight floats between them, in the order in which they lie; undefined where they do not lie
 * so. Without anything between, rows of eight.
 */
export function asRows(axes: readonly Axis[]): { count: number; c: number; stride: number } | undefined {
  const runs = [...joined(axes.flat().toSorted((a, b) => b.step - a.step))];
  const inner = runs.pop() ?? { size: 1, step: 1 };
  if (inner.step !== 1 || runs.length > 1) return undefined;
  const { size: c } = inner;
  const [outer] = runs;
  if (!outer) return c % 8 ? { count: 1, c, stride: pad8(c) } : { count: c / 8, c: 8, stride: 8 };
  return outer.step < c + 8 && outer.step % 8 === 0 ? { count: outer.size, c, stride: outer.step } : undefined;
}

/** Whether two lists of axes lie alike. */
export function alike(a: readonly Axis[], b: readonly Axis[]): boolean {
  return (
    a.length === b.length &&
    a.every(
      (axis, i) =>
        axis.length === b[i]!.length &&
        axis.every(({ size, step }, j) => size === b[i]![j]!.size && step === b[i]![j]!.step),
    )
  );
}

/** Elements of a view. */
export function elementsOf({ axes }: View): number {
  return sizeOf(shapeOf(axes));
}
