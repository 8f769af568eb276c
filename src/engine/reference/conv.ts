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

/** One weight of a convolution in one image: which elements of x it multiplies, and into which of y. */
interface Tap {
  readonly weight: number;
  /** Index of the first product's x and y. */
  readonly x: number;
  readonly y: number;
  /** Products per row and per column, padding left out. */
  readonly rows: number;
  readonly columns: number;
}

/** Output positions along one axis whose input, `position · stride + offset`, lies inside `length`: [first, count]. */
function insideRange(length: number, size: number, stride: number, offset: number): [number, number] {
  const first = Math.max(0, Math.ceil(-offset / stride));
  const last = Math.min(size - 1, Math.floor((length - 1 - offset) / stride));
  return [first, Math.max(0, last - first + 1)];
}

/** Every weight in every image; each product of the convolution belongs to exactly one of them. */
function* tapsOf(xShape: readonly number[], wShape: readonly number[], geometry: ConvGeometry): Generator<Tap> {
  const { stride, pad, dilation, group, size } = geometry;
  const [n, c, h, w] = xShape as [number, number, number, number];
  const [o, ci, kh, kw] = wShape as [number, number, number, number];
  for (let b = 0; b < n; b++)
    for (let out = 0; out < o; out++) {
      const channel = Math.floor(out / (o / group)) * ci;
      for (let i = 0; i < ci; i++)
        for (let ky = 0; ky < kh; ky++) {
          const top = ky * dilation[0] - pad[0];
          const [oy, rows] = insideRange(h, size[0], stride[0], top);
          for (let kx = 0; kx < kw; kx++) {
            const left = kx * dilation[1] - pad[1];
            const [ox, columns] = insideRange(w, size[1], stride[1], left);
            yield {
              weight: ((out * ci + i) * kh + ky) * kw + kx,
              x: ((b * c + channel + i) * h + oy * stride[0] + top) * w + ox * stride[1] + left,
              y: ((b * o + out) * size[0] + oy) * size[1] + ox,
              rows,
              columns,
            };
          }
        }
    }
}

/** y = x ∗ weight */
export function conv(x: Array64, weight: Array64, geometry: ConvGeometry): Array64 {
  const y = zeros([x.shape[0]!, weight.shape[0]!, ...geometry.size]);
  const [xs, ys, step] = [x.data, y.data, geometry.stride[1]];
  for (const tap of tapsOf(x.shape, weight.shape, geometry)) {
    const value = weight.data[tap.weight]!;
    for (let row = 0; row < tap.rows; row++) {
      let xi = tap.x + row * geometry.stride[0] * x.shape[3]!;
      let yi = tap.y + row * geometry.size[1];
      for (let column = 0; column < tap.columns; column++, xi += step, yi++) ys[yi]! += xs[xi]! * value;
    }
  }
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
  const [xs, dys, dxs, step] = [x.data, dy.data, dx.data, geometry.stride[1]];
  for (const tap of tapsOf(x.shape, weight.shape, geometry)) {
    const value = weight.data[tap.weight]!;
    let sum = 0;
    for (let row = 0; row < tap.rows; row++) {
      let xi = tap.x + row * geometry.stride[0] * x.shape[3]!;
      let yi = tap.y + row * geometry.size[1];
      for (let column = 0; column < tap.columns; column++, xi += step, yi++) {
        dxs[xi]! += dys[yi]! * value;
        sum += dys[yi]! * xs[xi]!;
      }
    }
    dweight.data[tap.weight]! += sum;
  }
  return { dx, dweight };
}
