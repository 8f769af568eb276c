/**
 * Pointwise (and im2col'd dense) RepConv: exact online re-parameterization (docs/online-reparameterization.md).
 * x is [P, K], branch weights W are [J·O, K] (1×1 kernels lie at the center tap), all channel counts multiples of 8.
 * Long: forward, fold and backward of one op read the same layout of moments and branches, and are checked against one page of mathematics.
 */
import { addScaled, addTo, dot, float, fma, int, ptr, scaled, share } from './vector';
import { correlate, correlatePacked, packedTile } from './generated/correlate';
import { gemm, gemmInputGrad } from './generated/gemm';
import { PANEL } from './generated/width';
import { packColumns, packPanel, packRowPanels, packTiles, panelAt, panelWidth, patchesOfRow } from './pack';

/** Rows summed into scratch before they are added to the total: keeps covariances good to about 2e-6. */
const CHUNK: i32 = 1536;

/** Fewer rows than this a thread: the columns are shared out instead. */
const ROWS_A_THREAD: i32 = 32;

/** y = max(x · Wp + bias, least): 1 x, 2 ldx (floats), 3 Wp, 4 bias, 5 y, 6 ldy (floats), 7 rows, 8 K, 9 N, 10 relu. */
export function runGemm(p: usize, tid: i32, nt: i32): void {
  const rows = int(p, 7), K = int(p, 8), N = int(p, 9), least: f32 = int(p, 10) ? 0 : -Infinity;
  const byColumns = rows < ROWS_A_THREAD * nt;
  const r0 = byColumns ? 0 : share(rows, 12, tid, nt), r1 = byColumns ? rows : share(rows, 12, tid + 1, nt);
  const j0 = byColumns ? share(N, PANEL, tid, nt) : 0, j1 = byColumns ? share(N, PANEL, tid + 1, nt) : N;
  if (r0 >= r1 || j0 >= j1) return;
  const at = <usize>j0 << 2;
  gemm(ptr(p, 1), ptr(p, 2) << 2, ptr(p, 3) + at * K, ptr(p, 4) + at, ptr(p, 5) + at, ptr(p, 6) << 2, r0, r1, K, j1 - j0, least);
}

/**
 * A dense convolution row by row, so that its patches stay in the cache: 1 x, 2 scratch (of one thread: [OW][K]), 3 … 15 as in
 * im2col, 16 taps · channels (K without padding), 17 Wp, 18 bias, 19 y, 20 ldy (floats), 21 O, 22 relu.
 */
export function convRows(p: usize, tid: i32, nt: i32): void {
  const OW = int(p, 8), ld = <usize>int(p, 15) << 2, least: f32 = int(p, 22) ? 0 : -Infinity, ldy = <usize>int(p, 20) << 2;
  const scratch = ptr(p, 2) + <usize>(tid * OW) * ld, rows = int(p, 3) * int(p, 7), r1 = share(rows, 1, tid + 1, nt);
  for (let r = share(rows, 1, tid, nt); r < r1; r++) {
    patchesOfRow(p, r, scratch);
    gemm(scratch, ld, ptr(p, 17), ptr(p, 18), ptr(p, 19) + <usize>(r * OW) * ldy, ldy, 0, OW, int(p, 16), int(p, 21), least);
  }
}

/** dx = (dz · Wq + x · D + constant) ∘ (mask > 0): 1 dz, 2 Wq, 3 x, 4 D, 5 constant, 6 dx, 7 rows, 8 K, 9 O, 10 mask (0: none). */
export function runGemmInputGrad(p: usize, tid: i32, nt: i32): void {
  const rows = int(p, 7), r0 = share(rows, 12, tid, nt), r1 = share(rows, 12, tid + 1, nt);
  if (r0 < r1) gemmInputGrad(ptr(p, 1), ptr(p, 2), ptr(p, 3), ptr(p, 4), ptr(p, 5), ptr(p, 6), r0, r1, int(p, 8), int(p, 9), ptr(p, 10));
}

function addColumnSums(a: usize, out: usize, rows: i32, C: i32): void {
  const lda = <usize>C << 2;
  for (let j = 0; j < C; j += 8) {
    let q = a + (<usize>j << 2), s = f32x4.splat(0), t = s;
    for (let k = rows; k > 0; k--) {
      s = f32x4.add(s, v128.load(q));
      t = f32x4.add(t, v128.load(q, 16));
      q += lda;
    }
    const o = out + (<usize>j << 2), a = v128.load(o), b = v128.load(o, 16);
    v128.store(o, f32x4.add(a, s));
    v128.store(o, f32x4.add(b, t), 16);
  }
}

/** Rows of a block of packed operands. */
const PACKED_ROWS: i32 = 128;

/** s += aᵀ · b over n rows, in blocks of so few rows that sums stay accurate and operands stay in the cache. */
function correlateRows(a: usize, b: usize, s: usize, n: i32, Ca: i32, Cb: i32, upper: i32, pack: usize): void {
  if (!pack) {
    correlate(a, b, s, n, Ca, Cb, Cb <= 64 ? 128 : Cb <= 128 ? 64 : 32, upper);
    return;
  }
  const packedB = pack + (<usize>((Ca + 8) * PACKED_ROWS) << 2);
  for (let r = 0; r < n; r += PACKED_ROWS) {
    const rows = min(PACKED_ROWS, n - r);
    packTiles(a + (<usize>(r * Ca) << 2), pack, rows, Ca, packedTile());
    packRowPanels(b + (<usize>(r * Cb) << 2), packedB, rows, Cb);
    correlatePacked(pack, packedB, s, rows, Ca, Cb, upper);
  }
}

/**
 * partial[tid] = aᵀ · b over this thread's rows, and the column sums of a:
 * 1 a [rows, Ca], 2 b [rows, Cb], 3 partial, 4 sums (0: none), 5 scratch (of one thread: Ca·Cb), 6 rows, 7 Ca, 8 Cb, 9 upper,
 * 10 scratch for packed operands (of one thread: (Ca + Cb + 8) · 128; 0: they are read where they are).
 */
export function runCorrelate(p: usize, tid: i32, nt: i32): void {
  const a = ptr(p, 1), b = ptr(p, 2), rows = int(p, 6), Ca = int(p, 7), Cb = int(p, 8), upper = int(p, 9);
  const size = Ca * Cb, bytes = <usize>size << 2, sumBytes = <usize>Ca << 2;
  const out = ptr(p, 3) + <usize>tid * bytes, scratch = ptr(p, 5) + <usize>tid * bytes;
  const sums = ptr(p, 4) ? ptr(p, 4) + <usize>tid * sumBytes : 0;
  const r0 = share(rows, 1, tid, nt), r1 = share(rows, 1, tid + 1, nt);
  const pack = ptr(p, 10) ? ptr(p, 10) + <usize>tid * (<usize>((Ca + Cb + 8) * PACKED_ROWS) << 2) : 0;
  memory.fill(out, 0, bytes);
  if (sums) memory.fill(sums, 0, sumBytes);
  for (let r = r0; r < r1; r += CHUNK) {
    const n = min(CHUNK, r1 - r), pa = a + <usize>r * sumBytes, pb = b + <usize>r * (<usize>Cb << 2);
    if (r1 - r0 <= CHUNK) {
      correlateRows(pa, pb, out, n, Ca, Cb, upper, pack);
    } else {
      memory.fill(scratch, 0, bytes);
      correlateRows(pa, pb, scratch, n, Ca, Cb, upper, pack);
      addTo(out, scratch, size);
    }
    if (sums) for (let i = 0; i < n; i += 128) addColumnSums(pa + <usize>i * sumBytes, sums, min(128, n - i), Ca);
  }
}

/** Σ over threads of partial[t][index]. */
@inline
function total(partial: usize, index: usize, size: usize, nt: i32): f32 {
  let s: f32 = 0;
  for (let t = 0; t < nt; t++) s += load<f32>(partial + ((<usize>t * size + index) << 2));
  return s;
}

/**
 * Centered rows for few positions, where covariance from raw moments would cancel: xc = x − mean.
 * 1 x [P, K], 2 xc, 3 mean, 4 P, 5 K.
 */
export function center(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 1), xc = ptr(p, 2), mean = ptr(p, 3), P = int(p, 4), ld = <usize>int(p, 5) << 2;
  const inv: f64 = 1 / <f64>P, j1 = <usize>share(int(p, 5), 8, tid + 1, nt) << 2;
  for (let j = <usize>share(int(p, 5), 8, tid, nt) << 2; j < j1; j += 32) {
    let s0 = f64x2.splat(0), s1 = s0, s2 = s0, s3 = s0;
    for (let i = 0; i < P; i += 16) { // sixteen rows in f32, then on in f64
      let q = x + <usize>i * ld + j, a = f32x4.splat(0), b = a;
      for (let k = min(16, P - i); k > 0; k--) { a = f32x4.add(a, v128.load(q)); b = f32x4.add(b, v128.load(q, 16)); q += ld; }
      s0 = f64x2.add(s0, f64x2.promote_low_f32x4(a));
      s1 = f64x2.add(s1, f64x2.promote_low_f32x4(highHalf(a)));
      s2 = f64x2.add(s2, f64x2.promote_low_f32x4(b));
      s3 = f64x2.add(s3, f64x2.promote_low_f32x4(highHalf(b)));
    }
    const v = f64x2.splat(inv), m0 = meanOf(s0, s1, v), m1 = meanOf(s2, s3, v);
    v128.store(mean + j, m0);
    v128.store(mean + j, m1, 16);
    let q = x + j, o = xc + j;
    for (let i = P; i > 0; i--) {
      const a = v128.load(q), b = v128.load(q, 16);
      v128.store(o, f32x4.sub(a, m0));
      v128.store(o, f32x4.sub(b, m1), 16);
      q += ld;
      o += ld;
    }
  }
}

@inline
function highHalf(a: v128): v128 {
  return i8x16.shuffle(a, a, 8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15);
}

/** Two pairs of f64 sums → four f32 means. */
@inline
function meanOf(low: v128, high: v128, inv: v128): v128 {
  const a = f32x4.demote_f64x2_zero(f64x2.mul(low, inv)), b = f32x4.demote_f64x2_zero(f64x2.mul(high, inv));
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

/** Writes the entries (i, j) and (j, i) of a symmetric panel matrix [K][K]. */
@inline
function storeSymmetric(packed: usize, i: i32, j: i32, K: i32, value: f32): void {
  store<f32>(panelAt(packed, j, K) + (<usize>(i * panelWidth(j, K)) << 2), value);
  store<f32>(panelAt(packed, i, K) + (<usize>(j * panelWidth(i, K)) << 2), value);
}

/**
 * Mean m and covariance S of the input: 1 partial, 2 sums (0: the rows were centered and the mean is known), 3 mean, 4 S as panel matrix, 5 diagonal of S, 6 K, 7 1/P.
 * Rows go to threads in turn (the work of a row shrinks along the triangle).
 */
export function reduceMoments(p: usize, tid: i32, nt: i32): void {
  const partial = ptr(p, 1), sums = ptr(p, 2), mean = ptr(p, 3), packed = ptr(p, 4), diagonal = ptr(p, 5), K = int(p, 6), invP = float(p, 7);
  const size = <usize>(K * K);
  if (sums) for (let i = 0; i < K; i++) store<f32>(mean + (<usize>i << 2), total(sums, i, K, nt) * invP);
  for (let i = tid; i < K; i += nt) {
    const mi: f32 = sums ? load<f32>(mean + (<usize>i << 2)) : 0;
    for (let j = i; j < K; j++) {
      const value = total(partial, <usize>(i * K + j), size, nt) * invP - mi * load<f32>(mean + (<usize>j << 2));
      storeSymmetric(packed, i, j, K, value);
      if (i == j) store<f32>(diagonal + (<usize>i << 2), value);
    }
  }
}

@inline
function updateRunning(p: usize, value: f32, momentum: f32): void {
  store<f32>(p, load<f32>(p) + momentum * (value - load<f32>(p)));
}

/**
 * Folds the branches into one kernel and bias, updates running statistics, and packs the kernel both ways:
 * 1 W, 2 T = W·S, 3 J, 4 O, 5 K, 6 gamma, 7 beta, 8 running_mean, 9 running_var, 10 mean, 11 diagonal of S, 12 skip (0/1),
 * 13 skip column of channel 0, 14 Ŵ, 15 Wp, 16 Wq, 17 bias, 18 1/σ, 19 bn_momentum, 20 P/(P−1), 21 eps, 22 centered rows (0/1),
 * 23 use the running statistics and leave them (0/1: 2, 10, 11, 19 and 20 are then not read).
 */
export function foldDense(p: usize, tid: i32, nt: i32): void {
  const W = ptr(p, 1), T = ptr(p, 2), J = int(p, 3), O = int(p, 4), K = int(p, 5);
  const gamma = ptr(p, 6), beta = ptr(p, 7), runMean = ptr(p, 8), runVar = ptr(p, 9), mean = ptr(p, 10), diagonal = ptr(p, 11);
  const skip = int(p, 12), center = int(p, 13), kernel = ptr(p, 14), Wp = ptr(p, 15), Wq = ptr(p, 16), bias = ptr(p, 17), inv = ptr(p, 18);
  const momentum = load<f32>(ptr(p, 19)), unbias = float(p, 20), eps = float(p, 21), centered = int(p, 22), fixed = int(p, 23);
  const ld = <usize>K << 2, o1 = share(O, 8, tid + 1, nt);
  for (let o = share(O, 8, tid, nt); o < o1; o++) {
    const row = kernel + <usize>o * ld;
    memory.fill(row, 0, ld);
    let shift: f32 = 0;
    for (let i = 0; i < J + skip; i++) {
      const isSkip = i == J, at = <usize>(i * O + o) << 2, w = W + <usize>(i * O + o) * ld;
      const column = <usize>(center + o) << 2;
      const mu = fixed ? load<f32>(runMean + at) : isSkip ? load<f32>(mean + column) : dot(w, mean, K);
      const v = max<f32>(0, fixed ? load<f32>(runVar + at) : isSkip ? load<f32>(diagonal + column) : dot(w, T + <usize>(i * O + o) * ld, K));
      const is: f32 = 1 / sqrt<f32>(v + eps), s = load<f32>(gamma + at) * is;
      store<f32>(inv + at, is);
      if (!fixed) {
        updateRunning(runMean + at, mu, momentum);
        updateRunning(runVar + at, v * unbias, momentum);
      }
      shift += load<f32>(beta + at) - (centered ? 0 : s * mu);
      if (isSkip) {
        store<f32>(row + column, load<f32>(row + column) + s);
      } else {
        addScaled(row, s, w, K);
      }
    }
    store<f32>(bias + (<usize>o << 2), shift);
    packColumns(row, Wq, o, O, K);
    if ((o & 7) == 7) packPanel(kernel + <usize>(o - 7) * ld, Wp, o - 7, O, K, K);
  }
}

/**
 * Gradients of the branches: 1 partial G, 2 partial g₀, 3 W, 4 T, 5 J, 6 O, 7 K, 8 gamma, 9 1/σ, 10 mean, 11 skip, 12 skip column,
 * 13 dW, 14 dgamma, 15 dbeta, 16 dv·W out, 17 dv of the skip out, 18 g₀ out, 19 conv branches (the rest is the scale branch),
 * 20 first and 21 end column of the scale kernel, 22 running mean where it is used (else 0: 4, 10, 16 and 17 are then not read).
 */
export function foldDenseGrad(p: usize, tid: i32, nt: i32): void {
  const G = ptr(p, 1), sums = ptr(p, 2), W = ptr(p, 3), T = ptr(p, 4), J = int(p, 5), O = int(p, 6), K = int(p, 7);
  const gamma = ptr(p, 8), inv = ptr(p, 9), mean = ptr(p, 10), skip = int(p, 11), center = int(p, 12);
  const dW = ptr(p, 13), dGamma = ptr(p, 14), dBeta = ptr(p, 15), curved = ptr(p, 16), skipCurvature = ptr(p, 17), g0Out = ptr(p, 18);
  const convs = int(p, 19), scaleFrom = <usize>int(p, 20) << 2, scaleTo = <usize>int(p, 21) << 2, runMean = ptr(p, 22);
  const ld = <usize>K << 2, size = <usize>(O * K) << 2, o1 = share(O, 8, tid + 1, nt);
  for (let o = share(O, 8, tid, nt); o < o1; o++) {
    const g = G + <usize>o * ld, g0 = total(sums, o, O, nt);
    store<f32>(g0Out + (<usize>o << 2), g0);
    for (let t = 1; t < nt; t++) addTo(g, g + <usize>t * size, K);
    if (!runMean) addScaled(g, -g0, mean, K);
    for (let i = 0; i < J + skip; i++) {
      const at = <usize>(i * O + o) << 2, row = <usize>(i * O + o) * ld, isSkip = i == J;
      const is = load<f32>(inv + at), ga = load<f32>(gamma + at), s = ga * is;
      const e = isSkip ? load<f32>(g + (<usize>(center + o) << 2)) : dot(W + row, g, K);
      store<f32>(dBeta + at, g0);
      if (runMean) {
        store<f32>(dGamma + at, (e - g0 * load<f32>(runMean + at)) * is);
        if (isSkip) continue;
        if (i < convs) scaled(dW + row, s, g, K);
        else for (let k = scaleFrom; k < scaleTo; k += 4) store<f32>(dW + row + k, s * load<f32>(g + k));
        continue;
      }
      store<f32>(dGamma + at, e * is);
      const dv: f32 = <f32>-0.5 * e * ga * is * is * is;
      if (isSkip) {
        store<f32>(skipCurvature + (<usize>o << 2), dv);
        continue;
      }
      const t = T + row, out = dW + row;
      scaled(curved + row, dv, W + row, K);
      if (i < convs) {
        scaled(out, s, g, K);
        addScaled(out, dv + dv, t, K);
      } else {
        for (let k = scaleFrom; k < scaleTo; k += 4) store<f32>(out + k, s * load<f32>(g + k) + (dv + dv) * load<f32>(t + k));
      }
    }
  }
}

/** D = 2/P · (Σ Wᵀ diag(dv) W), packed like S: 1 partial (upper), 2 dv of the skip (0: none), 3 skip column, 4 O, 5 packed, 6 K, 7 2/P. */
export function reduceCurvature(p: usize, tid: i32, nt: i32): void {
  const partial = ptr(p, 1), skip = ptr(p, 2), center = int(p, 3), O = int(p, 4), packed = ptr(p, 5), K = int(p, 6), twoOverP = float(p, 7);
  const size = <usize>(K * K);
  for (let i = tid; i < K; i += nt) for (let j = i; j < K; j++) {
    let value = total(partial, <usize>(i * K + j), size, nt);
    if (skip && i == j && i >= center && i < center + O) value += load<f32>(skip + (<usize>(i - center) << 2));
    value *= twoOverP;
    storeSymmetric(packed, i, j, K, value);
  }
}

/** c = q/P − D·m with q = −Ŵᵀ g₀: 1 Wq, 2 g₀, 3 D packed, 4 mean, 5 c out, 6 K, 7 O, 8 1/P. */
export function inputGradConstant(p: usize, tid: i32, nt: i32): void {
  const Wq = ptr(p, 1), g0 = ptr(p, 2), D = ptr(p, 3), mean = ptr(p, 4), out = ptr(p, 5), K = int(p, 6), O = int(p, 7), invP = float(p, 8);
  const j1 = share(K, 8, tid + 1, nt);
  for (let j = share(K, 8, tid, nt); j < j1; j += 8) {
    let s = f32x4.splat(0), t = s, q = panelAt(Wq, j, O);
    const step = <usize>panelWidth(j, K) << 2;
    for (let o = 0; o < O; o++) {
      const g = v128.load32_splat(g0 + (<usize>o << 2));
      s = fma(g, v128.load(q), s);
      t = fma(g, v128.load(q, 16), t);
      q += step;
    }
    const ip = f32x4.splat(invP);
    s = f32x4.mul(s, ip);
    t = f32x4.mul(t, ip);
    q = panelAt(D, j, K);
    for (let i = 0; i < K; i++) {
      const m = v128.load32_splat(mean + (<usize>i << 2));
      s = fma(m, v128.load(q), s);
      t = fma(m, v128.load(q, 16), t);
      q += step;
    }
    v128.store(out + (<usize>j << 2), f32x4.neg(s));
    v128.store(out + (<usize>j << 2), f32x4.neg(t), 16);
  }
}

/** out[n] = Σ over threads of partial[t][n]: 1 partial, 2 out, 3 n. */
export function reduceSum(p: usize, tid: i32, nt: i32): void {
  const partial = ptr(p, 1), out = ptr(p, 2), n = int(p, 3), i1 = share(n, 4, tid + 1, nt);
  for (let i = share(n, 4, tid, nt); i < i1; i += 4) {
    let s = v128.load(partial + (<usize>i << 2));
    for (let t = 1; t < nt; t++) s = f32x4.add(s, v128.load(partial + (<usize>(t * n + i) << 2)));
    v128.store(out + (<usize>i << 2), s);
  }
}
