/** exp and log in f32 (Cephes' polynomials, error below 2 ulp). Ours, as the runtime's keep tables in memory that we own. */

import { fma, splat } from './vector';

export function exp(x: f32): f32 {
  x = max<f32>(-87.3, min<f32>(88.3, x));
  const n = nearest<f32>(x * <f32>1.44269504088896341);
  const r = x - n * <f32>0.693359375 + n * <f32>2.12194440e-4;
  let p: f32 = <f32>1.9875691500e-4;
  p = p * r + <f32>1.3981999507e-3;
  p = p * r + <f32>8.3334519073e-3;
  p = p * r + <f32>4.1665795894e-2;
  p = p * r + <f32>1.6666665459e-1;
  p = p * r + <f32>5.0000001201e-1;
  p = p * (r * r) + r + 1;
  return p * reinterpret<f32>((<i32>n + 127) << 23);
}

/** 1.5 · 2²³: what is added to it is rounded to a whole number, which its lowest bits are. */
const ROUNDS: f32 = 12582912;

/** exp of four values, by the same polynomial, in instructions that are one each on x86 too (min, max, nearest and trunc_sat are several). */
@inline
export function exp4(x: v128): v128 {
  x = f32x4.pmax(f32x4.pmin(x, splat(88.3)), splat(-87.3));
  const t = fma(x, splat(<f32>1.44269504088896341), splat(ROUNDS)), n = f32x4.sub(t, splat(ROUNDS));
  const r = fma(n, splat(<f32>2.12194440e-4), fma(n, splat(<f32>-0.693359375), x));
  let p = fma(splat(<f32>1.9875691500e-4), r, splat(<f32>1.3981999507e-3));
  p = fma(p, r, splat(<f32>8.3334519073e-3));
  p = fma(p, r, splat(<f32>4.1665795894e-2));
  p = fma(p, r, splat(<f32>1.6666665459e-1));
  p = fma(p, r, splat(<f32>5.0000001201e-1));
  p = f32x4.add(fma(p, f32x4.mul(r, r), r), splat(1));
  return f32x4.mul(p, i32x4.add(i32x4.shl(t, 23), i32x4.splat(127 << 23)));
}

/** Natural logarithm of a positive, normal x. */
export function log(x: f32): f32 {
  const bits = reinterpret<i32>(x);
  let e = (bits >> 23) - 126;
  let m = reinterpret<f32>((bits & 0x7fffff) | 0x3f000000); // [0.5, 1)
  if (m < <f32>0.707106781186547524) {
    e -= 1;
    m = m + m - 1;
  } else {
    m = m - 1;
  }
  const z = m * m;
  let p: f32 = <f32>7.0376836292e-2;
  p = p * m - <f32>1.1514610310e-1;
  p = p * m + <f32>1.1676998740e-1;
  p = p * m - <f32>1.2420140846e-1;
  p = p * m + <f32>1.4249322787e-1;
  p = p * m - <f32>1.6668057665e-1;
  p = p * m + <f32>2.0000714765e-1;
  p = p * m - <f32>2.4999993993e-1;
  p = p * m + <f32>3.3333331174e-1;
  p = p * m * z;
  const fe = <f32>e;
  p += fe * <f32>-2.12194440e-4 - <f32>0.5 * z;
  return m + p + fe * <f32>0.693359375;
}
