/**
 * In which order a tensor has the axes of a value. The graph is NCHW and TFLite's image operators are NHWC; nearly everything else works
 * in any order, so that a value keeps the one its node had and is transposed only where an operator needs another.
 */
import type { Shape } from '../../core/tensor.ts';

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

export const sameOrder = (a: Order, b: Order): boolean => a.length === b.length && a.every((axis, i) => axis === b[i]);

/** The order that is left when axes are gone. */
export function withoutAxes(order: Order, axes: readonly number[]): Order {
  const left = order.filter((axis) => !axes.includes(axis));
  return left.map((axis) => axis - axes.filter((gone) => gone < axis).length);
}
