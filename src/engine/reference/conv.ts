/** Convolution `[N, C, H, W]` with weight `[O, C/group, kh, kw]`, and its gradients, by the definition. */
import { type Array64, zeros } from './array.ts';

export interface ConvGeometry {
  readonly stride: readonly [number, number];
  /** [top, left] padding with zeros. */
  readonly pad: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly group: number;
  /** Output height and width. */
  readonly size: readonly [number, number];
}

/** Calls `visit(x index, weight index, y index)` for every product of the convolution. */
function forEachProduct(
  x: readonly number[],
  weight: readonly number[],
  { stride, pad, dilation, group, size }: ConvGeometry,
  visit: (xi: number, wi: number, yi: number) => void,
): void {
  const [n, c, h, w] = x as [number, number, number, number];
  const [o, ci, kh, kw] = weight as [number, number, number, number];
  const perGroup = o / group;
  let yi = 0;
  for (let b = 0; b < n; b++)
    for (let out = 0; out < o; out++) {
      const first = Math.floor(out / perGroup) * ci;
      for (let oy = 0; oy < size[0]; oy++)
        for (let ox = 0; ox < size[1]; ox++, yi++)
          for (let i = 0; i < ci; i++)
            for (let ky = 0; ky < kh; ky++) {
              const y = oy * stride[0] - pad[0] + ky * dilation[0];
              if (y < 0 || y >= h) continue;
              for (let kx = 0; kx < kw; kx++) {
                const xx = ox * stride[1] - pad[1] + kx * dilation[1];
                if (xx < 0 || xx >= w) continue;
                visit(((b * c + first + i) * h + y) * w + xx, ((out * ci + i) * kh + ky) * kw + kx, yi);
              }
            }
    }
}

/** y = x ∗ weight */
export function conv(x: Array64, weight: Array64, geometry: ConvGeometry): Array64 {
  const y = zeros([x.shape[0]!, weight.shape[0]!, ...geometry.size]);
  const [xs, ws, ys] = [x.data, weight.data, y.data];
  forEachProduct(x.shape, weight.shape, geometry, (xi, wi, yi) => {
    ys[yi]! += xs[xi]! * ws[wi]!;
  });
  return y;
}

/** Gradients of `conv` with respect to x and weight. */
export function convGrad(
  x: Array64,
  weight: Array64,
  dy: Array64,
  geometry: ConvGeometry,
): { dx: Array64; dweight: Array64 } {
  const dx = zeros(x.shape);
  const dweight = zeros(weight.shape);
  const [xs, ws, dys, dxs, dws] = [x.data, weight.data, dy.data, dx.data, dweight.data];
  forEachProduct(x.shape, weight.shape, geometry, (xi, wi, yi) => {
    dxs[xi]! += dys[yi]! * ws[wi]!;
    dws[wi]! += dys[yi]! * xs[xi]!;
  });
  return { dx, dweight };
}
