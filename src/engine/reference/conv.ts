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

/** What one position of the kernel multiplies, in one plane of x and into one plane of y. */
interface Tap {
  /** Place of the first product's x and y in their planes. */
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

/** The taps of a kernel over planes of h × w, row by row. */
function tapsOf([h, w]: readonly number[], [kh, kw]: readonly number[], geometry: ConvGeometry): Tap[] {
  const { stride, pad, dilation, size } = geometry;
  return Array.from({ length: kh! * kw! }, (_, tap) => {
    const top = Math.floor(tap / kw!) * dilation[0] - pad[0];
    const left = (tap % kw!) * dilation[1] - pad[1];
    const [oy, rows] = insideRange(h!, size[0], stride[0], top);
    const [ox, columns] = insideRange(w!, size[1], stride[1], left);
    const x = (oy * stride[0] + top) * w! + ox * stride[1] + left;
    return { x, y: oy * size[1] + ox, rows, columns };
  });
}

/** Visits every weight in every image, with the first elements of x and y; each product of the convolution belongs to exactly one visit. */
function eachWeight(
  xShape: readonly number[],
  wShape: readonly number[],
  geometry: ConvGeometry,
  visit: (weight: number, x: number, y: number, tap: Tap) => void,
): void {
  const { group, size } = geometry;
  const [n, c, h, w] = xShape as [number, number, number, number];
  const [o, ci, ...kernel] = wShape as [number, number, number, number];
  const taps = tapsOf([h, w], kernel, geometry);
  for (let b = 0; b < n; b++)
    for (let out = 0; out < o; out++) {
      const channel = Math.floor(out / (o / group)) * ci;
      const y = (b * o + out) * size[0] * size[1];
      for (let i = 0; i < ci; i++) {
        const x = (b * c + channel + i) * h * w;
        for (let t = 0; t < taps.length; t++) {
          const tap = taps[t]!;
          visit((out * ci + i) * taps.length + t, x + tap.x, y + tap.y, tap);
        }
      }
    }
}

/** y = x ∗ weight */
export function conv(x: Array64, weight: Array64, geometry: ConvGeometry): Array64 {
  const y = zeros([x.shape[0]!, weight.shape[0]!, ...geometry.size]);
  const [xs, ys, step] = [x.data, y.data, geometry.stride[1]];
  eachWeight(x.shape, weight.shape, geometry, (w, firstX, firstY, { rows, columns }) => {
    const value = weight.data[w]!;
    for (let row = 0; row < rows; row++) {
      let xi = firstX + row * geometry.stride[0] * x.shape[3]!;
      let yi = firstY + row * geometry.size[1];
      for (let column = 0; column < columns; column++, xi += step, yi++) ys[yi]! += xs[xi]! * value;
    }
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
  const [xs, dys, dxs, step] = [x.data, dy.data, dx.data, geometry.stride[1]];
  eachWeight(x.shape, weight.shape, geometry, (w, firstX, firstY, { rows, columns }) => {
    const value = weight.data[w]!;
    let sum = 0;
    for (let row = 0; row < rows; row++) {
      let xi = firstX + row * geometry.stride[0] * x.shape[3]!;
      let yi = firstY + row * geometry.size[1];
      for (let column = 0; column < columns; column++, xi += step, yi++) {
        dxs[xi]! += dys[yi]! * value;
        sum += dys[yi]! * xs[xi]!;
      }
    }
    dweight.data[w]! += sum;
  });
  return { dx, dweight };
}
