/**
 * In which order a tensor has the axes of a value. The graph is NCHW and TFLite's image operators are NHWC; nearly everything else works
 * in any order, so that a value keeps the one its node had and is transposed only where an operator needs another.
 */
import { type Shape, sizeOf, type Tensor } from '../../core/tensor.ts';

/** The logical axes of a value, as its tensor has them one after the other. */
export type Order = readonly number[];

/** `[N, H, W, C]` of a value `[N, C, H, W]`. */
export const NHWC: Order = [0, 2, 3, 1];

/** The axes as the graph has them. */
export const logicalOrder = (rank: number): Order => Array.from({ length: rank }, (_, axis) => axis);

/** What inputs and outputs of a file have, and values unless their node chose otherwise. */
export const orderOfRank = (rank: number): Order => (rank === 4 ? NHWC : logicalOrder(rank));

/** A logical shape as a tensor in that order has it. */
export const permuted = (shape: Shape, order: Order): Shape => order.map((axis) => shape[axis]!);

/** The numbers of a tensor, their axes in another order. */
export function inNewOrder({ shape, data }: Tensor, order: Order): { shape: Shape; data: Float32Array } {
  const to = permuted(shape, order);
  const steps = order.map((axis) => sizeOf(shape.slice(axis + 1)));
  const moved = Float32Array.from(data, (_, i) => {
    let [left, at] = [i, 0];
    for (let place = to.length - 1; place >= 0; place--) {
      at += (left % to[place]!) * steps[place]!;
      left = Math.floor(left / to[place]!);
    }
    return data[at]!;
  });
  return { shape: to, data: moved };
}

export const sameOrder = (a: Order, b: Order): boolean => a.length === b.length && a.every((axis, i) => axis === b[i]);

/** The order with one axis behind the others. */
export const withLast = (order: Order, last: number): Order => [...order.filter((axis) => axis !== last), last];

/** The order that is left when axes are gone. */
export function withoutAxes(order: Order, axes: readonly number[]): Order {
  const left = order.filter((axis) => !axes.includes(axis));
  return left.map((axis) => axis - axes.filter((gone) => gone < axis).length);
}

const longAxes = (shape: Shape, order: Order): Order => order.filter((axis) => shape[axis]! > 1);

/** Whether a value of that shape lies in memory alike in both orders. */
export const sameElements = (shape: Shape, a: Order, b: Order): boolean =>
  sameOrder(longAxes(shape, a), longAxes(shape, b));

/**
 * The order of the axes of a reshaped value whose elements stay where they are; undefined where they have to move: axes that are split
 * or joined must lie one after the other.
 */
export function reshapedOrder(from: Shape, to: Shape, order: Order): Order | undefined {
  const [old, made] = [longAxes(from, logicalOrder(from.length)), longAxes(to, logicalOrder(to.length))];
  // Groups of axes that have the same elements before and after.
  const groups: { readonly before: Order; readonly after: Order }[] = [];
  for (let [i, j] = [0, 0]; i < old.length && j < made.length; ) {
    const [first, second] = [i, j];
    let [left, right] = [from[old[i++]!]!, to[made[j++]!]!];
    while (left !== right) {
      if (left < right) left *= from[old[i++]!]!;
      else right *= to[made[j++]!]!;
    }
    groups.push({ before: old.slice(first, i), after: made.slice(second, j) });
  }
  const stored = longAxes(from, order);
  const blocks = stored.flatMap((axis) => groups.find(({ before }) => before[0] === axis) ?? []);
  const joined = blocks.flatMap(({ before }) => before);
  if (!sameOrder(stored, joined)) return undefined;
  const result = blocks.flatMap(({ after }) => after);
  const usual = [orderOfRank(to.length), logicalOrder(to.length)].find((one) => sameOrder(longAxes(to, one), result));
  if (usual) return usual;
  // Axes of one element follow the one before them.
  to.forEach((_, axis) => {
    if (!result.includes(axis)) result.splice(result.indexOf(axis - 1) + 1, 0, axis);
  });
  return result;
}
