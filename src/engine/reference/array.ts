/** Float64 arrays with their shape: what every kernel of the reference engine works on. */
import { type Shape, sizeOf } from '../../core/tensor.ts';

export interface Array64 {
  readonly shape: Shape;
  readonly data: Float64Array;
}

/** An array of zeros. */
export function zeros(shape: Shape): Array64 {
  return { shape, data: new Float64Array(sizeOf(shape)) };
}

/** An array like `x`, each element from `fn`. */
export function map(x: Array64, fn: (value: number, index: number) => number): Array64 {
  return { shape: x.shape, data: x.data.map(fn) };
}

/** Elementwise sum, same shapes. */
export function add(a: Array64, b: Array64): Array64 {
  return map(a, (value, i) => value + b.data[i]!);
}

/** Channels and positions of `[N, C, …]`. */
export function channelsOf(x: Array64): { n: number; c: number; positions: number } {
  const [n = 1, c = 1] = x.shape;
  return { n, c, positions: sizeOf(x.shape.slice(2)) };
}

/** Every plane (one channel of one image) of `[N, C, …]`: its channel and its elements, first to end. */
export function* planesOf(x: Array64): Generator<{ channel: number; first: number; end: number }> {
  const { n, c, positions } = channelsOf(x);
  for (let plane = 0; plane < n * c; plane++) {
    yield { channel: plane % c, first: plane * positions, end: (plane + 1) * positions };
  }
}
