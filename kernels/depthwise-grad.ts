/** Gradients of a depthwise 3×3 RepConv: correlations with dz, every branch's parameters, and dx by border classes. */
import { addRowSum, at, loadRow, pair, slot } from './depthwise-common';
import { correlateRow1, correlateRow2, grad_all, grad_even, grad_odd } from './generated/depthwise-rows';
import { addTo, float, fma, int, ptr, share, splat } from './vector';

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
 * table[yClass][xClass][25 taps, 1 constant][C] for pixels that reach the outputs of their class. With the running mean given,
 * statistics are fixed: mean and covariance must be zeros, and so must 1 / P.
 */
export function dwFoldGrad(p: usize, tid: i32, nt: i32): void {
  const partial = ptr(p, 1), stride = int(p, 2), C = int(p, 3), invP = float(p, 4);
  const mean = ptr(p, 5), cov = ptr(p, 6), weights = ptr(p, 7), k = int(p, 8), scale = ptr(p, 9), skip = int(p, 10);
  const gamma = ptr(p, 11), inv = ptr(p, 12), kernel = ptr(p, 13), dWeights = ptr(p, 14), dScale = ptr(p, 15);
  const dGamma = ptr(p, 16), dBeta = ptr(p, 17), table = ptr(p, 18), curvature = ptr(p, 19), H = int(p, 20), W = int(p, 21), needTable = int(p, 22);
  const centered = int(p, 23), eps = splat(float(p, 24)), runMean = ptr(p, 25);
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
      if (runMean) { // fixed statistics: each branch is a scaled convolution
        v128.store(dGamma + r, f32x4.mul(f32x4.sub(e, f32x4.mul(g0, v128.load(runMean + r))), is));
        if (isConv) for (let a = 0; a < 9; a++) v128.store(dWeights + <usize>(i * 9 + a) * C4 + c, f32x4.mul(s, at(G, a, C4)));
        else if (!one) v128.store(dScale + c, f32x4.mul(s, at(G, 4, C4)));
        continue;
      }
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
