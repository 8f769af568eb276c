/**
 * Physical layouts of parameters: channel counts are padded to multiples of eight with zeros, dense kernels are
 * [O][taps · channels], depthwise kernels [taps][C]. A layout says where each logical element (OIHW order) lies.
 */
import { sizeOf, type TensorData } from '../../core/tensor.ts';

export interface Layout {
  /** Floats of the physical array. */
  readonly size: number;
  /** Physical index of a logical element. */
  readonly place: (index: number) => number;
}

/** Channels are padded to this. */
export function pad8(channels: number): number {
  return Math.ceil(channels / 8) * 8;
}

/** `[C]` → `[pad8(C)]` */
export function vectorLayout(channels: number): Layout {
  return rowsLayout([channels]);
}

/** `[…, C]` → `[rows][pad8(C)]` */
export function rowsLayout(shape: readonly number[]): Layout {
  const channels = shape.at(-1) ?? 1;
  const stride = pad8(channels);
  return {
    size: (sizeOf(shape) / channels) * stride,
    place: (index) => Math.floor(index / channels) * stride + (index % channels),
  };
}

/**
 * `[O, I, kh, kw]` → `[pad8(O)][rowLength]` with tap t, input channel i at column (firstTap + t) · channelStride + i.
 */
export function denseLayout(shape: readonly number[], rowLength: number, channelStride: number, firstTap = 0): Layout {
  const [outputs, inputs] = shape as [number, number];
  const taps = sizeOf(shape.slice(2));
  return {
    size: pad8(outputs) * rowLength,
    place: (index) => {
      const tap = index % taps;
      const row = Math.floor(index / taps);
      return Math.floor(row / inputs) * rowLength + (firstTap + tap) * channelStride + (row % inputs);
    },
  };
}

/** `[C, 1, kh, kw]` → `[taps][pad8(C)]` */
export function depthwiseLayout(shape: readonly number[]): Layout {
  const taps = sizeOf(shape.slice(2));
  const stride = pad8(shape[0]!);
  return { size: taps * stride, place: (index) => (index % taps) * stride + Math.floor(index / taps) };
}

/** Writes logical values into a physical array (padding is left as it is: zero). */
export function pack(layout: Layout, logical: TensorData, physical: Float32Array): void {
  for (let i = 0; i < logical.length; i++) physical[layout.place(i)] = logical[i]!;
}

/** Reads `count` logical values out of a physical array. */
export function unpack(layout: Layout, physical: Float32Array, count: number): Float32Array {
  const logical = new Float32Array(count);
  for (let i = 0; i < count; i++) logical[i] = physical[layout.place(i)]!;
  return logical;
}
