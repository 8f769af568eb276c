/** Windows over `[N, C, H, W]`: the largest value, or the mean. */
import type { PoolAttrs } from '../../graph/kinds.ts';
import { convLength } from '../../graph/shape-rules.ts';
import { type Array64, zeros } from './array.ts';

/** What `reduce` makes of the values of each window; padding is not among them. */
export function pool(x: Array64, attrs: PoolAttrs, reduce: (values: readonly number[]) => number): Array64 {
  const { kernel_shape: kernel, strides, pads } = attrs;
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const height = convLength(h, kernel[0], strides[0], pads[0] + pads[2]);
  const width = convLength(w, kernel[1], strides[1], pads[1] + pads[3]);
  const y = zeros([n, c, height, width]);
  let at = 0;
  for (let plane = 0; plane < n * c; plane++)
    for (let oy = 0; oy < height; oy++)
      for (let ox = 0; ox < width; ox++) {
        const values: number[] = [];
        for (let ky = 0; ky < kernel[0]; ky++)
          for (let kx = 0; kx < kernel[1]; kx++) {
            const [iy, ix] = [oy * strides[0] - pads[0] + ky, ox * strides[1] - pads[1] + kx];
            if (iy >= 0 && iy < h && ix >= 0 && ix < w) values.push(x.data[(plane * h + iy) * w + ix]!);
          }
        y.data[at++] = reduce(values);
      }
  return y;
}
