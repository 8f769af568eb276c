/**
 * Depthwise 3×3 RepConv, padding 1: exact online re-parameterization (docs/online-reparameterization.md), one 9-vector of taps a channel.
 * Tap a = 3·ky + kx. Statistics are laid out [index][C]; C4 = bytes of one such row.
 */
import { addRowSum, at, loadRow, pair, slot } from './depthwise-common';
import { forwardRow1, forwardRow2, lagsBetween, lagsWithin, productsOfRow, productsOfRows } from './generated/depthwise-rows';
import { addTo, float, fma, int, ptr, share, splat } from './vector';

/** Rows of the partial moments, stride 1: 13 lags, sums, border lines and corners; stride 2: 45 products, 9 sums. */
const LAG_ROWS: i32 = 38;
const PRODUCT_ROWS: i32 = 54;

// ---- forward ----

export function dwForward(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 1), w = ptr(p, 2), bias = ptr(p, 3), y = ptr(p, 4);
  const N = int(p, 5), H = int(p, 6), W = int(p, 7), C4 = <usize>int(p, 8) << 2, stride = int(p, 9);
  const OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride;
  const least: f32 = int(p, 10) ? 0 : -Infinity;
  const r1 = share(N * OH, 1, tid + 1, nt);
  for (let r = share(N * OH, 1, tid, nt); r < r1; r++) {
    const n = r / OH, oy = r % OH;
    const image = x + <usize>(n * H * W) * C4, out = y + <usize>(r * OW) * C4;
    if (stride == 1) forwardRow1(image, w, bias, out, oy, H, W, OW, C4, least);
    else forwardRow2(image, w, bias, out, oy, H, W, OW, C4, least);
  }
}

// ---- moments ----

@inline
function addProduct(out: usize, a: usize, b: usize, C4: usize): void {
  for (let c: usize = 0; c < C4; c += 32) {
    const x0 = v128.load(a + c), x1 = v128.load(a + c, 16), y0 = v128.load(b + c), y1 = v128.load(b + c, 16);
    const s0 = v128.load(out + c), s1 = v128.load(out + c, 16);
    v128.store(out + c, fma(x0, y0, s0));
    v128.store(out + c, fma(x1, y1, s1), 16);
  }
}

/** Adds what row y of an image gives to acc[LAG_ROWS][C]; rows y + 1 and y + 2 are in the ring. */
function lagRow(ring: usize, bytes: usize, y: i32, H: i32, W: i32, C4: usize, acc: usize): void {
  const pad = 2 * C4, last = <usize>(W - 1) * C4;
  const r0 = slot(ring, y, H, 3, bytes) + pad, r1 = slot(ring, y + 1, H, 3, bytes) + pad, r2 = slot(ring, y + 2, H, 3, bytes) + pad;
  lagsWithin(r0, r0, W, C4, acc);
  if (y + 1 < H) lagsBetween(r0, r1, W, C4, acc + 3 * C4);
  if (y + 2 < H) lagsBetween(r0, r2, W, C4, acc + 8 * C4);
  addRowSum(acc + 13 * C4, r0, W, C4);
  addProduct(acc + 14 * C4, r0, r0, C4);
  addProduct(acc + 15 * C4, r0, r1, C4);
  addProduct(acc + 16 * C4, r0, r2, C4);
  addProduct(acc + 17 * C4, r0 + last, r0 + last, C4);
  addProduct(acc + 18 * C4, r0 + last, r1 + last, C4);
  addProduct(acc + 19 * C4, r0 + last, r2 + last, C4);
  addRowSum(acc + 32 * C4, r0, 1, C4);
  addRowSum(acc + 33 * C4, r0 + last, 1, C4);
  for (let edge = 0; edge < 2; edge++) {
    if (y != (edge ? H - 1 : 0)) continue;
    lagsWithin(r0, r0, W, C4, acc + <usize>(20 + 3 * edge) * C4);
    addProduct(acc + <usize>(26 + 2 * edge) * C4, r0, r0, C4);
    addProduct(acc + <usize>(27 + 2 * edge) * C4, r0 + last, r0 + last, C4);
    addRowSum(acc + <usize>(30 + edge) * C4, r0, W, C4);
    addRowSum(acc + <usize>(34 + 2 * edge) * C4, r0, 1, C4);
    addRowSum(acc + <usize>(35 + 2 * edge) * C4, r0 + last, 1, C4);
  }
}

/** acc[45 products, grouped as 3 × 6 within and 3 × 9 between rows][9 sums interleaved with the groups]: 3 × 9 + 3 × 9. */
function productRow(ring: usize, bytes: usize, oy: i32, H: i32, OW: i32, C4: usize, acc: usize): void {
  const first = C4; // padded by 2: the first tap of output 0 is column −1
  const r0 = slot(ring, 2 * oy - 1, H, 3, bytes) + first, r1 = slot(ring, 2 * oy, H, 3, bytes) + first, r2 = slot(ring, 2 * oy + 1, H, 3, bytes) + first;
  productsOfRow(r0, OW, C4, acc);
  productsOfRow(r1, OW, C4, acc + 9 * C4);
  productsOfRow(r2, OW, C4, acc + 18 * C4);
  productsOfRows(r0, r1, OW, C4, acc + 27 * C4);
  productsOfRows(r0, r2, OW, C4, acc + 36 * C4);
  productsOfRows(r1, r2, OW, C4, acc + 45 * C4);
}

/** Partial moments of this thread's rows: partial[tid][rows][C], summed an image at a time in scratch. */
export function dwMoments(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 1), N = int(p, 2), H = int(p, 3), W = int(p, 4), C = int(p, 5), stride = int(p, 6);
  const C4 = <usize>C << 2, rowBytes = <usize>W * C4, bytes = <usize>(W + 4) * C4;
  const rows = stride == 1 ? LAG_ROWS : PRODUCT_ROWS;
  const partial = ptr(p, 7) + <usize>(tid * rows) * C4;
  const scratch = ptr(p, 8) + <usize>tid * ptr(p, 9), ring = scratch + <usize>rows * C4;
  const OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride;
  memory.fill(partial, 0, <usize>rows * C4);
  memory.fill(ring, 0, 4 * bytes);
  memory.fill(scratch, 0, <usize>rows * C4);
  let n = -1, next = 0;
  const r1 = share(N * OH, 1, tid + 1, nt);
  for (let r = share(N * OH, 1, tid, nt); r < r1; r++) {
    const oy = r % OH, image = x + <usize>(r / OH) * <usize>H * rowBytes;
    if (r / OH != n) {
      if (n >= 0) { addTo(partial, scratch, rows * C); memory.fill(scratch, 0, <usize>rows * C4); }
      n = r / OH;
      next = stride == 1 ? oy : max(0, 2 * oy - 1);
    }
    const last = min(H - 1, stride == 1 ? oy + 2 : 2 * oy + 1);
    for (; next <= last; next++) loadRow(ring, image, next, 3, bytes, 2, rowBytes, C4);
    if (stride == 1) lagRow(ring, bytes, oy, H, W, C4, scratch);
    else productRow(ring, bytes, oy, H, OW, C4, scratch);
  }
  addTo(partial, scratch, rows * C);
}

// ---- fold: statistics → one kernel ----

/** Row of lag (dy, dx) with dy ≥ 0 (and dx ≥ 0 if dy = 0) in the partial moments. */
@inline
function lagIndex(dy: i32, dx: i32): i32 {
  if (dy < 0 || (dy == 0 && dx < 0)) { dy = -dy; dx = -dx; }
  return dy == 0 ? dx : 5 * dy - 2 + dx + 2;
}

/** Raw Σ u_a u_b of channel vector q from the lags, with exact borders. */
function lagMoment(q: usize, a: i32, b: i32, C4: usize): v128 {
  const ay = a / 3 - 1, ax = a % 3 - 1, by = b / 3 - 1, bx = b % 3 - 1;
  const dy = abs(by - ay), dx = abs(bx - ax);
  let s = at(q, lagIndex(by - ay, bx - ax), C4);
  if (ax == 1 && bx == 1) s = f32x4.sub(s, at(q, 14 + dy, C4));
  if (ax == -1 && bx == -1) s = f32x4.sub(s, at(q, 17 + dy, C4));
  if (ay == 1 && by == 1) s = f32x4.sub(s, at(q, 20 + dx, C4));
  if (ay == -1 && by == -1) s = f32x4.sub(s, at(q, 23 + dx, C4));
  if (a == b && ax != 0 && ay != 0) s = f32x4.add(s, at(q, 26 + (ay < 0 ? 2 : 0) + (ax < 0 ? 1 : 0), C4));
  return s;
}

/** Raw Σ u_a from the sums, with exact borders. */
function lagSum(q: usize, a: i32, C4: usize): v128 {
  const ay = a / 3 - 1, ax = a % 3 - 1;
  let s = at(q, 13, C4);
  if (ax != 0) s = f32x4.sub(s, at(q, ax > 0 ? 32 : 33, C4));
  if (ay != 0) s = f32x4.sub(s, at(q, ay > 0 ? 30 : 31, C4));
  if (ax != 0 && ay != 0) s = f32x4.add(s, at(q, 34 + (ay < 0 ? 2 : 0) + (ax < 0 ? 1 : 0), C4));
  return s;
}

/** Row of product (a, b), a ≤ b, in the stride-2 partial moments. */
@inline
function productIndex(a: i32, b: i32): i32 {
  const ra = a / 3, rb = b / 3, i = a % 3, j = b % 3;
  if (ra == rb) return 9 * ra + (i == 0 ? j : i == 1 ? 2 + j : 5);
  return (ra == 1 ? 45 : rb == 1 ? 27 : 36) + 3 * i + j;
}

/** New running statistics: running ← (1 − momentum) · running + momentum · value. */
@inline
function updateRunning(running: usize, value: v128, momentum: f32): void {
  v128.store(running, fma(splat(momentum), f32x4.sub(value, v128.load(running)), v128.load(running)));
}

/** Partial moments of all threads → mean and covariance of one channel vector. */
function reducePartial(q: usize, stride: i32, rows: i32, m: usize, S: usize, ip: v128, C4: usize, nt: i32): void {
  for (let t = 1; t < nt; t++) for (let r = 0; r < rows; r++) {
    const d = q + <usize>r * C4;
    v128.store(d, f32x4.add(v128.load(d), v128.load(d + <usize>(t * rows) * C4)));
  }
  for (let a = 0; a < 9; a++) {
    const s = stride == 1 ? lagSum(q, a, C4) : at(q, 9 * (a / 3) + 6 + (a % 3), C4);
    v128.store(m + <usize>a * C4, f32x4.mul(s, ip));
  }
  for (let a = 0; a < 9; a++) for (let b = a; b < 9; b++) {
    const s = stride == 1 ? lagMoment(q, a, b, C4) : at(q, productIndex(a, b), C4);
    v128.store(S + <usize>pair(a, b) * C4, f32x4.sub(f32x4.mul(s, ip), f32x4.mul(at(m, a, C4), at(m, b, C4))));
  }
}

/**
 * Reduces the partial moments (0: mean and covariance are known) to mean[9][C] and covariance[45][C], then folds all branches into one
 * kernel and bias; or folds with the running statistics, which stay as they are (`fixed`).
 */
export function dwFold(p: usize, tid: i32, nt: i32): void {
  const partial = ptr(p, 1), stride = int(p, 2), C = int(p, 3), invP = float(p, 4), unbias = float(p, 5);
  const mean = ptr(p, 6), cov = ptr(p, 7), weights = ptr(p, 8), k = int(p, 9), scale = ptr(p, 10), skip = int(p, 11);
  const gamma = ptr(p, 12), beta = ptr(p, 13), runMean = ptr(p, 14), runVar = ptr(p, 15), inv = ptr(p, 16);
  const kernel = ptr(p, 17), bias = ptr(p, 18), momentum = load<f32>(ptr(p, 19)), eps = splat(float(p, 20)), fixed = int(p, 21);
  const C4 = <usize>C << 2, rows = stride == 1 ? LAG_ROWS : PRODUCT_ROWS;
  const c1 = <usize>share(C, 4, tid + 1, nt) << 2;
  for (let c = <usize>share(C, 4, tid, nt) << 2; c < c1; c += 16) {
    const m = mean + c, S = cov + c;
    if (partial) reducePartial(partial + c, stride, rows, m, S, splat(invP), C4, nt);
    for (let a = 0; a < 9; a++) v128.store(kernel + c + <usize>a * C4, splat(0));
    let shift = splat(0);
    const branches = k + (scale ? 1 : 0) + (skip ? 1 : 0);
    for (let i = 0; i < branches; i++) {
      const isConv = i < k, w = isConv ? weights + <usize>(i * 9) * C4 + c : scale + c, r = <usize>i * C4 + c;
      const one = !isConv && !(scale != 0 && i == k); // the skip branch: weight 1 at the center
      let mu = splat(0), v = mu;
      if (fixed) {
        mu = v128.load(runMean + r);
        v = v128.load(runVar + r);
      } else if (isConv) {
        for (let a = 0; a < 9; a++) {
          const wa = at(w, a, C4);
          mu = fma(wa, at(m, a, C4), mu);
          let t = splat(0);
          for (let b = 0; b < 9; b++) t = fma(at(w, b, C4), at(S, pair(a, b), C4), t);
          v = fma(wa, t, v);
        }
      } else {
        const w4 = one ? splat(1) : v128.load(w);
        mu = f32x4.mul(w4, at(m, 4, C4));
        v = f32x4.mul(f32x4.mul(w4, w4), at(S, pair(4, 4), C4));
      }
      v = f32x4.max(v, splat(0));
      const is = f32x4.div(splat(1), f32x4.sqrt(f32x4.add(v, eps))), s = f32x4.mul(v128.load(gamma + r), is);
      v128.store(inv + r, is);
      if (!fixed) {
        updateRunning(runMean + r, mu, momentum);
        updateRunning(runVar + r, f32x4.mul(v, splat(unbias)), momentum);
      }
      shift = f32x4.add(shift, f32x4.sub(v128.load(beta + r), f32x4.mul(s, mu)));
      const lastTap = isConv ? 9 : 5;
      for (let a = isConv ? 0 : 4; a < lastTap; a++) {
        const d = kernel + c + <usize>a * C4;
        v128.store(d, fma(s, isConv ? at(w, a, C4) : one ? splat(1) : v128.load(w), v128.load(d)));
      }
    }
    v128.store(bias + c, shift);
  }
}
