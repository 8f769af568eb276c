/** Ops that move elements, or combine those of two shapes. */
import { type Shape, sizeOf } from '../../core/tensor.ts';
import { broadcastShape } from '../../graph/shape-rules.ts';
import { type Array64, zeros } from './array.ts';

/** Step in the data for a step along each axis. */
function stepsOf(shape: Shape): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** Every index of a shape, in the order of its data. */
function* indicesOf(shape: Shape): Generator<readonly number[]> {
  const index = shape.map(() => 0);
  for (let left = sizeOf(shape); left > 0; left--) {
    yield index;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** fn of the elements of two arrays that broadcast, as in NumPy. */
export function broadcast(a: Array64, b: Array64, fn: (x: number, y: number) => number): Array64 {
  const y = zeros(broadcastShape(a.shape, b.shape));
  const steps = [a, b].map(({ shape }) => {
    const missing = y.shape.length - shape.length;
    const own = stepsOf(shape);
    return y.shape.map((_, axis) => (axis < missing || shape[axis - missing] === 1 ? 0 : own[axis - missing]!));
  }) as [number[], number[]];
  let i = 0;
  for (const index of indicesOf(y.shape)) {
    let [from, other] = [0, 0];
    for (let axis = 0; axis < index.length; axis++) {
      from += index[axis]! * steps[0][axis]!;
      other += index[axis]! * steps[1][axis]!;
    }
    y.data[i++] = fn(a.data[from]!, b.data[other]!);
  }
  return y;
}

/** Axis i of the result is axis perm[i] of x. */
export function transpose(x: Array64, perm: readonly number[]): Array64 {
  const y = zeros(perm.map((axis) => x.shape[axis]!));
  const own = stepsOf(x.shape);
  const steps = perm.map((axis) => own[axis]!);
  let i = 0;
  for (const index of indicesOf(y.shape)) {
    let from = 0;
    for (let axis = 0; axis < index.length; axis++) from += index[axis]! * steps[axis]!;
    y.data[i++] = x.data[from]!;
  }
  return y;
}

/** Elements start … end − 1 along an axis. */
export function slice(x: Array64, axis: number, start: number, end: number): Array64 {
  const y = zeros(x.shape.map((size, i) => (i === axis ? end - start : size)));
  const inner = sizeOf(x.shape.slice(axis + 1));
  const [from, to] = [x.shape[axis]! * inner, (end - start) * inner];
  for (let outer = 0; outer * to < y.data.length; outer++)
    y.data.set(x.data.subarray(outer * from + start * inner, outer * from + end * inner), outer * to);
  return y;
}

/** Arrays one after the other along an axis. */
export function concat(inputs: readonly Array64[], axis: number): Array64 {
  const length = inputs.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const y = zeros(inputs[0]!.shape.map((size, i) => (i === axis ? length : size)));
  const inner = sizeOf(y.shape.slice(axis + 1));
  let at = 0;
  for (const { shape, data } of inputs) {
    const own = shape[axis]! * inner;
    for (let outer = 0; outer * own < data.length; outer++)
      y.data.set(data.subarray(outer * own, (outer + 1) * own), outer * length * inner + at);
    at += own;
  }
  return y;
}

/** Channel i · groups + g from channel g · C / groups + i. */
export function channelShuffle(x: Array64, groups: number): Array64 {
  const [n, c] = x.shape as [number, number];
  const y = zeros(x.shape);
  const [plane, each] = [sizeOf(x.shape.slice(2)), c / groups];
  for (let image = 0; image < n; image++)
    for (let channel = 0; channel < c; channel++) {
      const from = (image * c + (channel % groups) * each + Math.floor(channel / groups)) * plane;
      y.data.set(x.data.subarray(from, from + plane), (image * c + channel) * plane);
    }
  return y;
}

/** Zeros around the image `[N, C, H, W]`: [top, left, bottom, right]. */
export function pad(x: Array64, [top, left, bottom, right]: readonly [number, number, number, number]): Array64 {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [height, width] = [h + top + bottom, w + left + right];
  const y = zeros([n, c, height, width]);
  for (let row = 0; row < n * c * h; row++) {
    const to = (Math.floor(row / h) * height + top + (row % h)) * width + left;
    y.data.set(x.data.subarray(row * w, (row + 1) * w), to);
  }
  return y;
}

/** Mean over axes, in the shape that the result is to have. */
export function reduceMean(x: Array64, axes: readonly number[], shape: Shape): Array64 {
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const y = zeros(shape);
  const steps = stepsOf(kept).map((step, axis) => (axes.includes(axis) ? 0 : step));
  const count = x.data.length / y.data.length;
  let i = 0;
  for (const index of indicesOf(x.shape))
    y.data[index.reduce((at, value, axis) => at + value * steps[axis]!, 0)]! += x.data[i++]! / count;
  return y;
}
