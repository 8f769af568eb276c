/**
 * Pointwise RepConv branch by branch: cheaper than the online form where there is one branch, or few positions.
 * The J kernels lie one below the other as W [J·O][K], so the outputs of all branches are one product z [P][J·O].
 * Channel vectors of branches (scale, mean …) are [J + skip][O]; the skip branch reads x itself (K = O).
 */
import { gemm } from './generated/gemm';
import { float, fma, int, ptr, share } from './vector';

/** Rows that are finished together while they are in the cache. */
const BLOCK: i32 = 48;

@inline
function blockEnd(s: i32, r1: i32): i32 {
  return r1 - s <= BLOCK + BLOCK / 2 ? r1 : s + BLOCK;
}

// ---- forward ----

/** Mean and sum of squares about it (f64, [2][C]) of `before` rows → those with `n` more rows of z joined (Chan, Golub, LeVeque). */
function joinRows(z: usize, ld: usize, n: i32, C: i32, moments: usize, before: i32): void {
  const inv: f32 = <f32>1 / <f32>n, iv = f32x4.splat(inv), weight = <f64>n / <f64>(before + n), cross = <f64>before * weight;
  for (let c: usize = 0; c < <usize>C << 2; c += 32) {
    let q = z + c, s = f32x4.splat(0), t = s;
    for (let i = n; i > 0; i--) {
      s = f32x4.add(s, v128.load(q));
      t = f32x4.add(t, v128.load(q, 16));
      q += ld;
    }
    const m = f32x4.mul(s, iv), k = f32x4.mul(t, iv);
    let a = f32x4.splat(0), b = a;
    q = z + c;
    for (let i = n; i > 0; i--) {
      const d = f32x4.sub(v128.load(q), m), e = f32x4.sub(v128.load(q, 16), k);
      a = fma(d, d, a);
      b = fma(e, e, b);
      q += ld;
    }
    const at = moments + (c << 1);
    joinTwo(at, C, low(m), low(a), weight, cross);
    joinTwo(at + 16, C, high(m), high(a), weight, cross);
    joinTwo(at + 32, C, low(k), low(b), weight, cross);
    joinTwo(at + 48, C, high(k), high(b), weight, cross);
  }
}

@inline
function joinTwo(at: usize, C: i32, mean: v128, squares: v128, weight: f64, cross: f64): void {
  const sum = at + (<usize>C << 3), before = v128.load(at), old = v128.load(sum), delta = f64x2.sub(mean, before);
  v128.store(at, f64x2.add(before, f64x2.mul(delta, f64x2.splat(weight))));
  v128.store(sum, f64x2.add(old, f64x2.add(squares, f64x2.mul(f64x2.mul(delta, delta), f64x2.splat(cross)))));
}

@inline
function low(a: v128): v128 {
  return f64x2.promote_low_f32x4(a);
}

@inline
function high(a: v128): v128 {
  return f64x2.promote_low_f32x4(i8x16.shuffle(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15));
}

/**
 * z = x · Wp, and this thread's moments of z and of x:
 * 1 x, 2 Wp, 3 zeros [N], 4 z, 5 moments of z (f64 [nt][2][N]), 6 moments of x (0: no skip), 7 P, 8 K, 9 N.
 */
export function explicitForward(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 1), z = ptr(p, 4), K = int(p, 8), N = int(p, 9), ldx = <usize>K << 2, ldz = <usize>N << 2;
  const ofZ = ptr(p, 5) + <usize>tid * (ldz << 2), ofX = ptr(p, 6) ? ptr(p, 6) + <usize>tid * (ldx << 2) : 0;
  memory.fill(ofZ, 0, ldz << 2);
  if (ofX) memory.fill(ofX, 0, ldx << 2);
  const r0 = share(int(p, 7), 12, tid, nt), r1 = share(int(p, 7), 12, tid + 1, nt);
  let end = r0;
  for (let s = r0; s < r1; s = end) {
    end = blockEnd(s, r1);
    gemm(x, ldx, ptr(p, 2), ptr(p, 3), z, ldz, s, end, K, N, -Infinity);
    joinRows(z + <usize>s * ldz, ldz, end - s, N, ofZ, s - r0);
    if (ofX) joinRows(x + <usize>s * ldx, ldx, end - s, K, ofX, s - r0);
  }
}

/**
 * Statistics of every branch: 1 moments of z, 2 moments of x (0: no skip), 3 P, 4 J, 5 O, 6 gamma, 7 beta, 8 running_mean,
 * 9 running_var, 10 mean, 11 1/σ, 12 scale = γ/σ, 13 shift [O] = Σ (β − scale · mean), 14 bn_momentum, 15 P/(P−1), 16 eps.
 */
export function explicitFold(p: usize, tid: i32, nt: i32): void {
  const P = int(p, 3), J = int(p, 4), O = int(p, 5), branches = J + (ptr(p, 2) ? 1 : 0);
  const momentum = load<f32>(ptr(p, 14)), unbias = float(p, 15), eps = float(p, 16), o1 = share(O, 8, tid + 1, nt);
  for (let o = share(O, 8, tid, nt); o < o1; o++) {
    let shift: f32 = 0;
    for (let i = 0; i < branches; i++) {
      const C = i < J ? J * O : O, at = <usize>(i * O + o) << 2;
      const first = (i < J ? ptr(p, 1) : ptr(p, 2)) + (<usize>(i < J ? i * O + o : o) << 3);
      let mean: f64 = 0, squares: f64 = 0, rows = 0;
      for (let t = 0; t < nt; t++) {
        const q = first + (<usize>(2 * t * C) << 3), n = share(P, 12, t + 1, nt) - share(P, 12, t, nt);
        if (n == 0) continue;
        const delta = load<f64>(q) - mean, weight = <f64>n / <f64>(rows + n);
        mean += delta * weight;
        squares += load<f64>(q + (<usize>C << 3)) + delta * delta * <f64>rows * weight;
        rows += n;
      }
      const mu = <f32>mean, v = <f32>(squares / <f64>P), is: f32 = 1 / sqrt<f32>(v + eps), s = load<f32>(ptr(p, 6) + at) * is;
      store<f32>(ptr(p, 10) + at, mu);
      store<f32>(ptr(p, 11) + at, is);
      store<f32>(ptr(p, 12) + at, s);
      shift += load<f32>(ptr(p, 7) + at) - s * mu;
      const runMean = ptr(p, 8) + at, runVar = ptr(p, 9) + at;
      store<f32>(runMean, load<f32>(runMean) + momentum * (mu - load<f32>(runMean)));
      store<f32>(runVar, load<f32>(runVar) + momentum * (v * unbias - load<f32>(runVar)));
    }
    store<f32>(ptr(p, 13) + (<usize>o << 2), shift);
  }
}

/** y = max(Σ scale_i · z_i + scale_skip · x + shift, least): 1 z, 2 x (0: no skip), 3 scale, 4 shift, 5 y, 6 P, 7 J, 8 O, 9 relu. */
export function explicitOutput(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 2), scale = ptr(p, 3), shift = ptr(p, 4), J = int(p, 7), ld = <usize>int(p, 8) << 2;
  const lo = f32x4.splat(int(p, 9) ? 0 : -Infinity), r1 = share(int(p, 6), 1, tid + 1, nt), skipScale = scale + <usize>J * ld;
  for (let r = share(int(p, 6), 1, tid, nt); r < r1; r++) {
    const z = ptr(p, 1) + <usize>(r * J) * ld, y = ptr(p, 5) + <usize>r * ld, xr = x + <usize>r * ld;
    for (let c: usize = 0; c < ld; c += 32) {
      let a = v128.load(shift + c), b = v128.load(shift + c, 16), q = z + c, s = scale + c;
      for (let i = J; i > 0; i--) {
        a = fma(v128.load(s), v128.load(q), a);
        b = fma(v128.load(s, 16), v128.load(q, 16), b);
        q += ld;
        s += ld;
      }
      if (x) {
        a = fma(v128.load(skipScale + c), v128.load(xr + c), a);
        b = fma(v128.load(skipScale + c, 16), v128.load(xr + c, 16), b);
      }
      v128.store(y + c, f32x4.max(a, lo));
      v128.store(y + c, f32x4.max(b, lo), 16);
    }
  }
}

// ---- backward ----

/** Adds Σ dz · (z − mean) over a block of rows to eight f64 sums (and Σ dz to those at `g0`, unless 0). */
@inline
function reduceColumns(dz: usize, ldd: usize, z: usize, ldz: usize, n: i32, mean: usize, sums: usize, g0: usize): void {
  const m = v128.load(mean), k = v128.load(mean, 16);
  let a = f32x4.splat(0), b = a, s = a, t = a;
  for (let i = n; i > 0; i--) {
    const d = v128.load(dz), e = v128.load(dz, 16);
    a = fma(d, f32x4.sub(v128.load(z), m), a);
    b = fma(e, f32x4.sub(v128.load(z, 16), k), b);
    s = f32x4.add(s, d);
    t = f32x4.add(t, e);
    dz += ldd;
    z += ldz;
  }
  addWide(sums, a, b);
  if (g0) addWide(g0, s, t);
}

@inline
function addWide(sums: usize, a: v128, b: v128): void {
  const s0 = v128.load(sums), s1 = v128.load(sums, 16), s2 = v128.load(sums, 32), s3 = v128.load(sums, 48);
  v128.store(sums, f64x2.add(s0, low(a)));
  v128.store(sums, f64x2.add(s1, high(a)), 16);
  v128.store(sums, f64x2.add(s2, low(b)), 32);
  v128.store(sums, f64x2.add(s3, high(b)), 48);
}

/** partial[tid] (f64 [J + skip + 1][O]) = Σ dz · (z_i − mean_i) of every branch, and Σ dz: 1 dz, 2 z, 3 x (0: no skip), 4 mean, 5 partial, 6 P, 7 J, 8 O. */
export function explicitReduce(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 3), mean = ptr(p, 4), J = int(p, 7), O = int(p, 8), ld = <usize>O << 2, ldz = <usize>J * ld, branches = J + (x ? 1 : 0);
  const size = <usize>(branches + 1) * (ld << 1), out = ptr(p, 5) + <usize>tid * size, g0 = out + <usize>branches * (ld << 1);
  memory.fill(out, 0, size);
  const r1 = share(int(p, 6), 1, tid + 1, nt);
  for (let r = share(int(p, 6), 1, tid, nt); r < r1; r += 32) {
    const n = min(32, r1 - r), dz = ptr(p, 1) + <usize>r * ld, z = ptr(p, 2) + <usize>r * ldz, xr = x + <usize>r * ld;
    for (let c: usize = 0; c < ld; c += 32) for (let i = 0; i < branches; i++) {
      const at = <usize>i * ld + c;
      if (i < J) reduceColumns(dz + c, ld, z + at, ldz, n, mean + at, out + (at << 1), i == 0 ? g0 + (c << 1) : 0);
      else reduceColumns(dz + c, ld, xr + c, ld, n, mean + at, out + (at << 1), 0);
    }
  }
}

/**
 * dγ, dβ, and the coefficients of dz_i = A dz + B z_i + C ([3][J + skip][O]):
 * 1 partial, 2 J, 3 O, 4 skip, 5 mean, 6 1/σ, 7 scale, 8 dgamma, 9 dbeta, 10 coefficients, 11 1/P.
 */
export function explicitFoldGrad(p: usize, tid: i32, nt: i32): void {
  const J = int(p, 2), O = int(p, 3), branches = J + int(p, 4), invP = float(p, 11), rows = branches * O, size = <usize>(rows + O) << 3;
  const o1 = share(O, 8, tid + 1, nt);
  for (let o = share(O, 8, tid, nt); o < o1; o++) {
    let g: f64 = 0;
    for (let t = 0; t < nt; t++) g += load<f64>(ptr(p, 1) + <usize>t * size + (<usize>(rows + o) << 3));
    for (let i = 0; i < branches; i++) {
      const index = i * O + o, at = <usize>index << 2;
      let sum: f64 = 0;
      for (let t = 0; t < nt; t++) sum += load<f64>(ptr(p, 1) + <usize>t * size + (<usize>index << 3));
      const e = <f32>sum, g0 = <f32>g, is = load<f32>(ptr(p, 6) + at), s = load<f32>(ptr(p, 7) + at);
      store<f32>(ptr(p, 8) + at, e * is);
      store<f32>(ptr(p, 9) + at, g0);
      const B: f32 = -s * is * is * e * invP, A = ptr(p, 10) + at;
      store<f32>(A, s);
      store<f32>(A + (<usize>rows << 2), B);
      store<f32>(A + (<usize>(2 * rows) << 2), -s * g0 * invP - B * load<f32>(ptr(p, 5) + at));
    }
  }
}

/** out = A dz + B z + C over n rows of ld bytes. */
@inline
function affineRows(
  out: usize, ldo: usize, dz: usize, ldd: usize, z: usize, ldz: usize, coefficients: usize, step: usize, n: i32, ld: usize,
): void {
  for (let i = n; i > 0; i--) {
    for (let c: usize = 0; c < ld; c += 32) {
      const A = coefficients + c, B = A + step, C = B + step;
      let a = fma(v128.load(A), v128.load(dz + c), v128.load(C)), b = fma(v128.load(A, 16), v128.load(dz + c, 16), v128.load(C, 16));
      a = fma(v128.load(B), v128.load(z + c), a);
      b = fma(v128.load(B, 16), v128.load(z + c, 16), b);
      v128.store(out + c, a);
      v128.store(out + c, b, 16);
    }
    out += ldo;
    dz += ldd;
    z += ldz;
  }
}

/** dx += A dz + B x + C of the skip branch (coefficients 0: none), zero where the mask (0: none) is not positive. */
function finishRows(dx: usize, dz: usize, x: usize, coefficients: usize, step: usize, mask: usize, n: i32, ld: usize): void {
  const zero = f32x4.splat(0);
  for (let i = n; i > 0; i--) {
    for (let c: usize = 0; c < ld; c += 32) {
      let a = v128.load(dx + c), b = v128.load(dx + c, 16);
      if (coefficients) {
        const A = coefficients + c, B = A + step, C = B + step;
        a = f32x4.add(a, fma(v128.load(B), v128.load(x + c), fma(v128.load(A), v128.load(dz + c), v128.load(C))));
        b = f32x4.add(b, fma(v128.load(B, 16), v128.load(x + c, 16), fma(v128.load(A, 16), v128.load(dz + c, 16), v128.load(C, 16))));
      }
      if (mask) {
        a = v128.and(a, f32x4.gt(v128.load(mask + c), zero));
        b = v128.and(b, f32x4.gt(v128.load(mask + c, 16), zero));
      }
      v128.store(dx + c, a);
      v128.store(dx + c, b, 16);
    }
    dx += ld;
    dz += ld;
    x += ld;
    if (mask) mask += ld;
  }
}

/**
 * z_i ← dz_i in place, and dx = Σ dz_i · W_i with the skip branch and the mask, block by block:
 * 1 dz, 2 z, 3 x, 4 coefficients, 5 Wq, 6 zeros [K], 7 dx (0: not needed), 8 P, 9 J, 10 O, 11 K, 12 skip, 13 mask (0: none).
 */
export function explicitInputGrad(p: usize, tid: i32, nt: i32): void {
  const J = int(p, 9), O = int(p, 10), K = int(p, 11), skip = int(p, 12), dx = ptr(p, 7), coefficients = ptr(p, 4);
  const ld = <usize>O << 2, ldz = <usize>J * ld, ldx = <usize>K << 2, step = <usize>(J + skip) * ld;
  const r0 = share(int(p, 8), 12, tid, nt), r1 = share(int(p, 8), 12, tid + 1, nt);
  let end = r0;
  for (let s = r0; s < r1; s = end) {
    end = blockEnd(s, r1);
    const dz = ptr(p, 1) + <usize>s * ld, z = ptr(p, 2) + <usize>s * ldz, x = ptr(p, 3) + <usize>s * ldx, n = end - s;
    for (let i = 0; i < J; i++) {
      const at = <usize>i * ld;
      affineRows(z + at, ldz, dz, ld, z + at, ldz, coefficients + at, step, n, ld);
    }
    if (!dx) continue;
    gemm(ptr(p, 2), ldz, ptr(p, 5), ptr(p, 6), dx, ldx, s, end, J * O, K, -Infinity);
    const mask = ptr(p, 13) ? ptr(p, 13) + <usize>s * ldx : 0;
    if (skip || mask) finishRows(dx + <usize>s * ldx, dz, x, skip ? coefficients + <usize>J * ld : 0, step, mask, n, ldx);
  }
}
