import { sizeOf, type Tensor } from '../core/tensor.ts';

/** A fixed picture of bytes, `[N, H, W, C]`: the time of a convolution does not depend on what it shows. */
export function patternImage(shape: readonly number[]): Tensor {
  return { shape, data: Uint8Array.from({ length: sizeOf(shape) }, (_, i) => (i * 37) & 255) };
}
