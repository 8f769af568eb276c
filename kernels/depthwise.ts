/**
 * Depthwise 3×3 RepConv, padding 1: exact online re-parameterization (design, section 5), one 9-vector of taps a channel.
 * Tap a = 3·ky + kx. Statistics are laid out [index][C]; C4 = bytes of one such row.
 */
import { addTo, float, fma, int, ptr, share } from './vector';
import {
  correlateRow1, correlateRow2, forwardRow1, forwardRow2, grad_all, grad_even, grad_odd,
  lagsBetween, lagsWithin, productsOfRow, productsOfRows,
} from './generated/depthwise-rows';

/** Rows of the partial moments, stride 1: 13 lags, sums, border lines and corners; stride 2: 45 products, 9 sums. */
const LAG_ROWS: i32 = 38;
const PRODUCT_ROWS: i32 = 54;

// ---- padded rows: a ring of `slots` rows of one image, with zero pixels around; slot `slots` stays zero ----

@inline
function slot(ring: usize, row: i32, limit: i32, slots: i32, bytes: usize): usize {
  return ring + <usize>(row < 0 || row >= limit ? slots : row % slots) * bytes;
}

/** Copies row `row` of an image into its slot, behind `pad` zero pixels. */
@inline
function loadRow(ring: usize, image: usize, row: i32, slots: i32, bytes: usize, pad: i32, rowBytes: usize, C4: usize): void {
  memory.copy(ring + <usize>(row % slots) * bytes + <usize>pad * C4, image + <usize>row * rowBytes, rowBytes);
}

// ---- forward ----

export function dwForward(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 1), w = ptr(p, 2), bias = ptr(p, 3), y = ptr(p, 4);
  const N = int(p, 5), H = int(p, 6), W = int(p, 7), C4 = <usize>int(p, 8) << 2, stride = int(p, 9);
  const OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride;
  const lo = int(p, 10) ? f32x4.splat(0) : f32x4.splat(-Infinity);
  const r1 = share(N * OH, 1, tid + 1, nt);
  for (let r = share(N * OH, 1, tid, nt); r < r1; r++) {
    const n = r / OH, oy = r % OH;
    const image = x + <usize>(n * H * W) * C4, out = y + <usize>(r * OW) * C4;
    if (stride == 1) forwardRow1(image, w, bias, out, oy, H, W, OW, C4, lo);
    else forwardRow2(image, w, bias, out, oy, H, W, OW, C4, lo);
  }
}

// ---- moments ----

@inline
function addProduct(out: usize, a: usize, b: usize, C4: usize): void {
  for (let c: usize = 0; c < C4; c += 16) v128.store(out + c, fma(v128.load(a + c), v128.load(b + c), v128.load(out + c)));
}

function addRowSum(out: usize, row: usize, W: i32, C4: usize): void {
  for (let c: usize = 0; c < C4; c += 16) {
    let q = row + c, s = f32x4.splat(0);
    for (let i = W; i > 0; i--) { s = f32x4.add(s, v128.load(q)); q += C4; }
    v128.store(out + c, f32x4.add(v128.load(out + c), s));
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

// ---- few positions: two passes over centered patches, where covariance from raw moments would cancel ----

@inline
function tapOf(image: usize, H: i32, W: i32, y: i32, x: i32, C4: usize): v128 {
  return y >= 0 && y < H && x >= 0 && x < W ? v128.load(image + <usize>(y * W + x) * C4) : f32x4.splat(0);
}

/** mean[9][C] and covariance[45][C] directly: 1 x, 2 N, 3 H, 4 W, 5 C, 6 stride, 7 mean, 8 covariance, 9 scratch [nt][9 · 4]. */
export function dwMomentsDirect(p: usize, tid: i32, nt: i32): void {
  const N = int(p, 2), H = int(p, 3), W = int(p, 4), C = int(p, 5), stride = int(p, 6), C4 = <usize>C << 2, scratch = ptr(p, 9) + <usize>tid * 144;
  const OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride, inv = f32x4.splat(<f32>1 / <f32>(N * OH * OW));
  const c1 = <usize>share(C, 4, tid + 1, nt) << 2;
  for (let c = <usize>share(C, 4, tid, nt) << 2; c < c1; c += 16) {
    const mean = ptr(p, 7) + c, cov = ptr(p, 8) + c;
    for (let a = 0; a < 9; a++) {
      let s = f32x4.splat(0);
      for (let n = 0; n < N; n++) for (let oy = 0; oy < OH; oy++) for (let ox = 0; ox < OW; ox++)
        s = f32x4.add(s, tapOf(ptr(p, 1) + c + <usize>(n * H * W) * C4, H, W, oy * stride + a / 3 - 1, ox * stride + (a % 3) - 1, C4));
      v128.store(mean + <usize>a * C4, f32x4.mul(s, inv));
    }
    for (let i = 0; i < 45; i++) v128.store(cov + <usize>i * C4, f32x4.splat(0));
    for (let n = 0; n < N; n++) for (let oy = 0; oy < OH; oy++) for (let ox = 0; ox < OW; ox++) {
      for (let a = 0; a < 9; a++) {
        const u = tapOf(ptr(p, 1) + c + <usize>(n * H * W) * C4, H, W, oy * stride + a / 3 - 1, ox * stride + (a % 3) - 1, C4);
        v128.store(scratch + (<usize>a << 4), f32x4.sub(u, v128.load(mean + <usize>a * C4)));
      }
      let d = cov;
      for (let a: usize = 0; a < 144; a += 16) for (let b = a; b < 144; b += 16) {
        v128.store(d, fma(v128.load(scratch + a), v128.load(scratch + b), v128.load(d)));
        d += C4;
      }
    }
    for (let i = 0; i < 45; i++) v128.store(cov + <usize>i * C4, f32x4.mul(v128.load(cov + <usize>i * C4), inv));
  }
}

/** Centered correlations G_c[9][C] and Σ dz: 1 x, 2 dz, 3 N, 4 H, 5 W, 6 C, 7 stride, 8 mean, 9 out [10][C]. */
export function dwCorrelateDirect(p: usize, tid: i32, nt: i32): void {
  const N = int(p, 3), H = int(p, 4), W = int(p, 5), C = int(p, 6), stride = int(p, 7), C4 = <usize>C << 2;
  const OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride, c1 = <usize>share(C, 4, tid + 1, nt) << 2;
  for (let c = <usize>share(C, 4, tid, nt) << 2; c < c1; c += 16) {
    const out = ptr(p, 9) + c;
    for (let i = 0; i < 10; i++) v128.store(out + <usize>i * C4, f32x4.splat(0));
    let dz = ptr(p, 2) + c;
    for (let n = 0; n < N; n++) for (let oy = 0; oy < OH; oy++) for (let ox = 0; ox < OW; ox++) {
      const g = v128.load(dz);
      dz += C4;
      for (let a = 0; a < 9; a++) {
        const u = tapOf(ptr(p, 1) + c + <usize>(n * H * W) * C4, H, W, oy * stride + a / 3 - 1, ox * stride + (a % 3) - 1, C4);
        const d = out + <usize>a * C4;
        v128.store(d, fma(g, f32x4.sub(u, v128.load(ptr(p, 8) + c + <usize>a * C4)), v128.load(d)));
      }
      v128.store(out + 9 * C4, f32x4.add(v128.load(out + 9 * C4), g));
    }
  }
}

// ---- fold: statistics → one kernel ----

@inline
function pair(a: i32, b: i32): i32 {
  return a <= b ? a * 9 - (a * (a - 1)) / 2 + b - a : b * 9 - (b * (b - 1)) / 2 + a - b;
}

@inline
function at(base: usize, row: i32, C4: usize): v128 {
  return v128.load(base + <usize>row * C4);
}

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

@inline
function splat(value: f32): v128 {
  return f32x4.splat(value);
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

/** Reduces the partial moments (0: mean and covariance are known) to mean[9][C] and covariance[45][C], then folds all branches into one kernel and bias. */
export function dwFold(p: usize, tid: i32, nt: i32): void {
  const partial = ptr(p, 1), stride = int(p, 2), C = int(p, 3), invP = float(p, 4), unbias = float(p, 5);
  const mean = ptr(p, 6), cov = ptr(p, 7), weights = ptr(p, 8), k = int(p, 9), scale = ptr(p, 10), skip = int(p, 11);
  const gamma = ptr(p, 12), beta = ptr(p, 13), runMean = ptr(p, 14), runVar = ptr(p, 15), inv = ptr(p, 16);
  const kernel = ptr(p, 17), bias = ptr(p, 18), momentum = load<f32>(ptr(p, 19)), eps = splat(float(p, 20));
  const C4 = <usize>C << 2, rows = stride == 1 ? LAG_ROWS : PRODUCT_ROWS;
  const c1 = <usize>share(C, 4, tid + 1, nt) << 2;
  for (let c = <usize>share(C, 4, tid, nt) << 2; c < c1; c += 16) {
    const m = mean + c, S = cov + c;
    if (partial) reducePartial(partial + c, stride, rows, m, S, splat(invP), C4, nt);
    for (let a = 0; a < 9; a++) v128.store(kernel + c + <usize>a * C4, splat(0));
    let shift = splat(0);
    const branches = k + (scale ? 1 : 0) + (skip ? 1 : 0);
    for (let i = 0; i < branches; i++) {
      const isConv = i < k, w = isConv ? weights + <usize>(i * 9) * C4 + c : scale + c;
      const one = !isConv && !(scale != 0 && i == k); // the skip branch: weight 1 at the center
      let mu = splat(0), v = mu;
      if (isConv) {
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
      const r = <usize>i * C4 + c, is = f32x4.div(splat(1), f32x4.sqrt(f32x4.add(v, eps))), s = f32x4.mul(v128.load(gamma + r), is);
      v128.store(inv + r, is);
      updateRunning(runMean + r, mu, momentum);
      updateRunning(runVar + r, f32x4.mul(v, splat(unbias)), momentum);
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

// ---- backward ----

/** partial[tid][10][C]: correlations of x with dz at the 9 taps, and Σ dz. */
export function dwCorrelate(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 1), dz = ptr(p, 2), N = int(p, 3), H = int(p, 4), W = int(p, 5), C = int(p, 6), stride = int(p, 7);
  const C4 = <usize>C << 2, rowBytes = <usize>W * C4, bytes = <usize>(W + 4) * C4;
  const partial = ptr(p, 8) + <usize>(tid * 10) * C4;
  const scratch = ptr(p, 9) + <usize>tid * ptr(p, 10), ring = scratch + 10 * C4;
  const OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride;
  memory.fill(partial, 0, 10 * C4);
  memory.fill(scratch, 0, 10 * C4);
  memory.fill(ring, 0, 4 * bytes);
  let n = -1, next = 0;
  const r1 = share(N * OH, 1, tid + 1, nt);
  for (let r = share(N * OH, 1, tid, nt); r < r1; r++) {
    const oy = r % OH, image = x + <usize>(r / OH) * <usize>H * rowBytes, g = dz + <usize>(r * OW) * C4, iy = oy * stride - 1;
    if (r / OH != n) {
      if (n >= 0) { addTo(partial, scratch, 10 * C); memory.fill(scratch, 0, 10 * C4); }
      n = r / OH;
      next = max(0, iy);
    }
    for (; next <= min(H - 1, iy + 2); next++) loadRow(ring, image, next, 3, bytes, 2, rowBytes, C4);
    for (let ky = 0; ky < 3; ky++) {
      if (iy + ky < 0 || iy + ky >= H) continue;
      const row = slot(ring, iy + ky, H, 3, bytes) + C4, out = scratch + <usize>(3 * ky) * C4;
      if (stride == 1) correlateRow1(row, g, OW, C4, out);
      else correlateRow2(row, g, OW, C4, out);
    }
    addRowSum(scratch + 9 * C4, g, OW, C4);
  }
  addTo(partial, scratch, 10 * C);
}

/** Whether tap offset a (−1, 0, 1) reaches an output, for pixels of border class `cls` along one axis. */
@inline
function reaches(stride: i32, cls: i32, a: i32): bool {
  if (stride == 1) return a == 0 || (a == 1 ? !(cls & 1) : !(cls & 2));
  return cls == 0 ? a == 0 : cls == 1 ? a != 0 : a == 1;
}

/** Whether a border class occurs among `size` pixels. */
@inline
function occurs(stride: i32, cls: i32, size: i32): bool {
  if (stride == 1) return cls == 0 ? size > 2 : cls == 3 ? size == 1 : size > 1;
  return cls == 0 ? true : cls == 1 ? size > 2 : size > 1 && size % 2 == 0;
}

/**
 * Parameter gradients of every branch, and the tables of the input gradient:
 * table[yClass][xClass][25 taps, 1 constant][C] for pixels that reach the outputs of their class.
 */
export function dwFoldGrad(p: usize, tid: i32, nt: i32): void {
  const partial = ptr(p, 1), stride = int(p, 2), C = int(p, 3), invP = float(p, 4);
  const mean = ptr(p, 5), cov = ptr(p, 6), weights = ptr(p, 7), k = int(p, 8), scale = ptr(p, 9), skip = int(p, 10);
  const gamma = ptr(p, 11), inv = ptr(p, 12), kernel = ptr(p, 13), dWeights = ptr(p, 14), dScale = ptr(p, 15);
  const dGamma = ptr(p, 16), dBeta = ptr(p, 17), table = ptr(p, 18), curvature = ptr(p, 19), H = int(p, 20), W = int(p, 21), needTable = int(p, 22);
  const centered = int(p, 23), eps = splat(float(p, 24));
  const C4 = <usize>C << 2, classes = stride == 1 ? 4 : 3;
  const c1 = <usize>share(C, 4, tid + 1, nt) << 2;
  for (let c = <usize>share(C, 4, tid, nt) << 2; c < c1; c += 16) {
    const G = partial + c, m = mean + c, S = cov + c, D = curvature + c;
    if (!centered) for (let t = 1; t < nt; t++) for (let r = 0; r < 10; r++) {
      const d = G + <usize>r * C4;
      v128.store(d, f32x4.add(v128.load(d), v128.load(d + <usize>(t * 10) * C4)));
    }
    const g0 = at(G, 9, C4);
    if (!centered) for (let a = 0; a < 9; a++) v128.store(G + <usize>a * C4, f32x4.sub(at(G, a, C4), f32x4.mul(g0, at(m, a, C4))));
    for (let i = 0; i < 45; i++) v128.store(D + <usize>i * C4, splat(0));
    const branches = k + (scale ? 1 : 0) + (skip ? 1 : 0);
    for (let i = 0; i < branches; i++) {
      const isConv = i < k, w = isConv ? weights + <usize>(i * 9) * C4 + c : scale + c, one = !isConv && !(scale != 0 && i == k);
      const r = <usize>i * C4 + c, is = v128.load(inv + r), ga = v128.load(gamma + r), s = f32x4.mul(ga, is);
      let e = splat(0);
      if (isConv) for (let a = 0; a < 9; a++) e = fma(at(w, a, C4), at(G, a, C4), e);
      else e = one ? at(G, 4, C4) : f32x4.mul(v128.load(w), at(G, 4, C4));
      v128.store(dBeta + r, g0);
      v128.store(dGamma + r, f32x4.mul(e, is));
      const dv = f32x4.mul(splat(-0.5), f32x4.mul(f32x4.mul(e, ga), f32x4.mul(is, f32x4.mul(is, is))));
      const dv2 = f32x4.add(dv, dv);
      if (isConv) {
        for (let a = 0; a < 9; a++) {
          let t = splat(0);
          for (let b = 0; b < 9; b++) t = fma(at(w, b, C4), at(S, pair(a, b), C4), t);
          v128.store(dWeights + <usize>(i * 9 + a) * C4 + c, fma(dv2, t, f32x4.mul(s, at(G, a, C4))));
          const wd = f32x4.mul(dv, at(w, a, C4));
          for (let b = a; b < 9; b++) {
            const d = D + <usize>pair(a, b) * C4;
            v128.store(d, fma(wd, at(w, b, C4), v128.load(d)));
          }
        }
      } else {
        const w4 = one ? splat(1) : v128.load(w), d = D + <usize>pair(4, 4) * C4;
        // s·G + 2·dv·w·S, whose terms cancel but for eps: a lone weight before a BatchNorm hardly matters.
        if (!one) v128.store(dScale + c, f32x4.mul(f32x4.mul(s, at(G, 4, C4)), f32x4.mul(eps, f32x4.mul(is, is))));
        v128.store(d, fma(dv, f32x4.mul(w4, w4), v128.load(d)));
      }
    }
    if (!needTable) continue;
    const twoOverP = splat(2 * invP), kp = kernel + c;
    for (let i = 0; i < 45; i++) v128.store(D + <usize>i * C4, f32x4.mul(twoOverP, at(D, i, C4)));
    for (let a = 0; a < 9; a++) { // constants c_a = q_a / P − Σ_b D_ab m_b, kept behind D
      let t = f32x4.mul(f32x4.neg(at(kp, a, C4)), f32x4.mul(g0, splat(invP)));
      for (let b = 0; b < 9; b++) t = f32x4.sub(t, f32x4.mul(at(D, pair(a, b), C4), at(m, b, C4)));
      v128.store(D + <usize>(45 + a) * C4, t);
    }
    for (let yc = 0; yc < classes; yc++) {
      if (!occurs(stride, yc, H)) continue;
      for (let xc = 0; xc < classes; xc++) {
        if (!occurs(stride, xc, W)) continue;
        const out = table + <usize>((yc * classes + xc) * 26) * C4 + c;
        for (let i = 0; i < 26; i++) v128.store(out + <usize>i * C4, splat(0));
        for (let a = 0; a < 9; a++) {
          const ay = a / 3 - 1, ax = a % 3 - 1;
          if (!reaches(stride, yc, ay) || !reaches(stride, xc, ax)) continue;
          for (let b = 0; b < 9; b++) {
            const d = out + <usize>((b / 3 - 1 - ay + 2) * 5 + (b % 3 - 1 - ax + 2)) * C4;
            v128.store(d, f32x4.add(v128.load(d), at(D, pair(a, b), C4)));
          }
          v128.store(out + 25 * C4, f32x4.add(at(out, 25, C4), at(D, 45 + a, C4)));
        }
      }
    }
  }
}

@inline
function classOf(stride: i32, t: i32, size: i32, outputs: i32): i32 {
  if (stride == 1) return (t == 0 ? 1 : 0) | (t == size - 1 ? 2 : 0);
  return t % 2 == 0 ? 0 : (t + 1) / 2 < outputs ? 1 : 2;
}

/** dx from dz, x and the tables; masked where x ≤ 0 if asked. */
export function dwInputGrad(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 1), dz = ptr(p, 2), dx = ptr(p, 3), kernel = ptr(p, 4), table = ptr(p, 5);
  const N = int(p, 6), H = int(p, 7), W = int(p, 8), C = int(p, 9), stride = int(p, 10), mask = int(p, 11);
  const scratch = ptr(p, 12) + <usize>tid * ptr(p, 13);
  const C4 = <usize>C << 2, OH = (H + stride - 1) / stride, OW = (W + stride - 1) / stride, classes = stride == 1 ? 4 : 3;
  const rowBytes = <usize>W * C4, bytes = <usize>(W + 4) * C4, zRowBytes = <usize>OW * C4, zBytes = <usize>(OW + 2) * C4;
  const rows = scratch, xr = scratch + 128, zr = xr + 6 * bytes;
  memory.fill(xr, 0, 6 * bytes + 4 * zBytes);
  let n = -1, next = 0, zNext = 0;
  const r1 = share(N * H, 1, tid + 1, nt);
  for (let r = share(N * H, 1, tid, nt); r < r1; r++) {
    const y = r % H, image = x + <usize>(r / H) * <usize>H * rowBytes, zImage = dz + <usize>(r / H) * <usize>OH * zRowBytes;
    const yc = classOf(stride, y, H, OH), reach = stride == 1 || yc != 0 ? 2 : 1;
    const zFirst = stride == 1 ? y - 1 : y >> 1, zLast = stride == 1 ? y + 1 : (y + 1) >> 1;
    if (r / H != n) { n = r / H; next = max(0, y - 2); zNext = max(0, zFirst); }
    for (; next <= min(H - 1, y + 2); next++) loadRow(xr, image, next, 5, bytes, 2, rowBytes, C4);
    for (; zNext <= min(OH - 1, zLast); zNext++) loadRow(zr, zImage, zNext, 3, zBytes, 1, zRowBytes, C4);

    let entry = rows + 8, nx = 0, nz = 0;
    for (let l = -reach; l <= reach; l++) {
      if (y + l < 0 || y + l >= H) continue;
      store<usize>(entry, slot(xr, y + l, H, 5, bytes));
      store<usize>(entry, <usize>((l + 2) * 5) * C4, 4);
      entry += 8;
      nx++;
    }
    for (let ay = -1; ay <= 1; ay++) { // output row (y − ay) / stride
      if (!reaches(stride, yc, ay)) continue;
      store<usize>(entry, slot(zr, stride == 1 ? y - ay : (y - ay) >> 1, OH, 3, zBytes));
      store<usize>(entry, kernel + <usize>(3 * (ay + 1)) * C4, 4);
      entry += 8;
      nz++;
    }
    store<i32>(rows, nx);
    store<i32>(rows, nz, 4);

    const out = dx + <usize>r * rowBytes, px = image + <usize>y * rowBytes, base = table + <usize>(yc * classes * 26) * C4, size = 26 * C4;
    const pad = 2 * C4; // of x rows; dz rows are padded by one
    if (stride == 1) {
      const first = classOf(1, 0, W, OW);
      grad_all(rows, pad, 0, base + <usize>first * size, px, out, 1, C4, mask);
      if (W > 2) grad_all(rows, pad + C4, C4, base, px + C4, out + C4, W - 2, C4, mask);
      if (W > 1) {
        const o = <usize>(W - 1) * C4;
        grad_all(rows, pad + o, o, base + 2 * size, px + o, out + o, 1, C4, mask);
      }
    } else {
      const odd = W / 2, inner = W % 2 == 0 ? odd - 1 : odd;
      grad_even(rows, pad, C4, base, px, out, OW, C4, mask);
      if (inner > 0) grad_odd(rows, pad + C4, C4, base + size, px + C4, out + C4, inner, C4, mask);
      if (inner < odd) {
        const o = <usize>(W - 1) * C4;
        grad_odd(rows, pad + o, <usize>inner * C4 + C4, base + 2 * size, px + o, out + o, 1, C4, mask);
      }
    }
  }
}
