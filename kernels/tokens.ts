/** What tokens need beside linear layers: products of two activations, softmax and normalization of rows. */
import { gemm } from './generated/gemm';
import { PANEL } from './generated/width';
import { exp4 } from './math';
import { panelWidth } from './pack';
import { copyRows } from './strided';
import { clearFew, float, fma, horizontalSum, int, ptr, share, splat } from './vector';

/** Columns j … j + width − 1 of a matrix [K][N] of any steps (bytes) as one panel, zeros in place of columns behind N. */
function packColumnsOf(b: usize, down: usize, across: usize, panel: usize, K: i32, columns: i32, width: i32): void {
  const ld = <usize>width << 2;
  copyRows(b, down, across, panel, ld, K, columns);
  if (columns < width) for (let k = 0; k < K; k++) clearFew(panel + <usize>k * ld + (<usize>columns << 2), width - columns);
}

/**
 * Matrices as panels, to be multiplied with: 1 b, 2 3 steps of the two axes before, 4 5 steps of rows and columns, 6 out, 7 8 lengths of
 * the axes before, 9 K, 10 N.
 */
export function packMatrices(p: usize, tid: i32, nt: i32): void {
  const n1 = int(p, 8), K = int(p, 9), N = int(p, 10), N8 = (N + 7) & ~7, panels = (N8 + PANEL - 1) / PANEL;
  const down = <usize>int(p, 4) << 2, across = <usize>int(p, 5) << 2, i1 = share(int(p, 7) * n1 * panels, 1, tid + 1, nt);
  for (let i = share(int(p, 7) * n1 * panels, 1, tid, nt); i < i1; i++) {
    const matrix = i / panels, j = (i % panels) * PANEL, width = panelWidth(j, N8);
    const b = ptr(p, 1) + (<usize>((matrix / n1) * int(p, 2) + (matrix % n1) * int(p, 3)) << 2) + <usize>j * across;
    packColumnsOf(b, down, across, ptr(p, 6) + (<usize>(matrix * K * N8 + j * K) << 2), K, min(width, N - j), width);
  }
}

/** Rows of a product that one thread takes at a time. */
const BLOCK: i32 = 24;

/**
 * y = a · b for many matrices: 1 a, 2 3 steps of the two axes before, 4 step of its rows, 5 panels of b, 6 7 steps of the axes before,
 * 8 zeros [N], 9 y, 10 11 its steps of the axes before, 12 step of its rows, 13 14 lengths of the axes before, 15 M, 16 K, 17 N (a multiple of 8).
 */
export function matMul(p: usize, tid: i32, nt: i32): void {
  const n1 = int(p, 14), M = int(p, 15), blocks = (M + BLOCK - 1) / BLOCK, end = share(int(p, 13) * n1 * blocks, 1, tid + 1, nt);
  let i = share(int(p, 13) * n1 * blocks, 1, tid, nt);
  while (i < end) {
    const matrix = i / blocks, r0 = (i % blocks) * BLOCK, next = min((matrix + 1) * blocks, end), r1 = min(M, (next - matrix * blocks) * BLOCK);
    const first = matrix / n1, second = matrix % n1;
    const a = ptr(p, 1) + (<usize>(first * int(p, 2) + second * int(p, 3)) << 2);
    const b = ptr(p, 5) + (<usize>(first * int(p, 6) + second * int(p, 7)) << 2);
    const y = ptr(p, 9) + (<usize>(first * int(p, 10) + second * int(p, 11)) << 2);
    gemm(a, <usize>int(p, 4) << 2, b, ptr(p, 8), y, <usize>int(p, 12) << 2, r0, r1, int(p, 16), int(p, 17), -Infinity);
    i = next;
  }
}

/** Lanes of a vector before lane `count`: all bits set. */
@inline
function lanesBefore(count: i32): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(count));
}

@inline
function largestLane(v: v128): f32 {
  return max<f32>(max<f32>(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)), max<f32>(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)));
}

/** 1 x, 2 y, 3 rows, 4 C, 5 floats from row to row (a multiple of 8, so that whole vectors can be read); the rest of a row becomes zero. */
export function softmaxRows(p: usize, tid: i32, nt: i32): void {
  const C = int(p, 4), ld = <usize>int(p, 5) << 2, r1 = share(int(p, 3), 1, tid + 1, nt), pairs = <usize>(C & ~7) << 2, end = <usize>(C + 7 & ~7) << 2;
  const firstLanes = lanesBefore(C & 7), secondLanes = lanesBefore((C & 7) - 4), least = splat(-Infinity);
  for (let r = share(int(p, 3), 1, tid, nt); r < r1; r++) {
    const x = ptr(p, 1) + <usize>r * ld, y = ptr(p, 2) + <usize>r * ld;
    let m0 = least, m1 = least, s0 = splat(0), s1 = s0;
    for (let c: usize = 0; c < pairs; c += 32) {
      m0 = f32x4.pmax(m0, v128.load(x + c));
      m1 = f32x4.pmax(m1, v128.load(x + c, 16));
    }
    if (pairs < end) {
      m0 = f32x4.pmax(m0, v128.bitselect(v128.load(x + pairs), least, firstLanes));
      m1 = f32x4.pmax(m1, v128.bitselect(v128.load(x + pairs, 16), least, secondLanes));
    }
    const top = splat(largestLane(f32x4.pmax(m0, m1)));
    for (let c: usize = 0; c < pairs; c += 32) {
      const a = v128.load(x + c), b = v128.load(x + c, 16), e0 = exp4(f32x4.sub(a, top)), e1 = exp4(f32x4.sub(b, top));
      s0 = f32x4.add(s0, e0);
      s1 = f32x4.add(s1, e1);
      v128.store(y + c, e0);
      v128.store(y + c, e1, 16);
    }
    if (pairs < end) {
      const a = v128.load(x + pairs), b = v128.load(x + pairs, 16);
      const e0 = v128.and(exp4(f32x4.sub(a, top)), firstLanes), e1 = v128.and(exp4(f32x4.sub(b, top)), secondLanes);
      s0 = f32x4.add(s0, e0);
      s1 = f32x4.add(s1, e1);
      v128.store(y + pairs, e0);
      v128.store(y + pairs, e1, 16);
    }
    const inv = splat(1 / horizontalSum(f32x4.add(s0, s1)));
    for (let c: usize = 0; c < end; c += 32) {
      const a = v128.load(y + c), b = v128.load(y + c, 16);
      v128.store(y + c, f32x4.mul(a, inv));
      v128.store(y + c, f32x4.mul(b, inv), 16);
    }
  }
}

/** y = (x − mean) / √(variance + epsilon) · weight + bias: 1 x, 2 y, 3 rows, 4 C, 5 floats from row to row, 6 weight, 7 bias, 8 epsilon. */
export function layerNorm(p: usize, tid: i32, nt: i32): void {
  const C = int(p, 4), ld = <usize>int(p, 5) << 2, r1 = share(int(p, 3), 1, tid + 1, nt), n4 = <usize>(C & ~3) << 2, C4 = <usize>C << 2;
  const weight = ptr(p, 6), bias = ptr(p, 7), part: f32 = <f32>1 / <f32>C;
  for (let r = share(int(p, 3), 1, tid, nt); r < r1; r++) {
    const x = ptr(p, 1) + <usize>r * ld, y = ptr(p, 2) + <usize>r * ld;
    let sums = splat(0), sum: f32 = 0;
    for (let c: usize = 0; c < n4; c += 16) sums = f32x4.add(sums, v128.load(x + c));
    for (let c = n4; c < C4; c += 4) sum += load<f32>(x + c);
    const mean: f32 = (sum + horizontalSum(sums)) * part, means = splat(mean);
    sums = splat(0);
    sum = 0;
    for (let c: usize = 0; c < n4; c += 16) {
      const d = f32x4.sub(v128.load(x + c), means);
      sums = fma(d, d, sums);
    }
    for (let c = n4; c < C4; c += 4) sum += (load<f32>(x + c) - mean) * (load<f32>(x + c) - mean);
    const inv: f32 = 1 / sqrt<f32>((sum + horizontalSum(sums)) * part + float(p, 8)), factor = splat(inv);
    for (let c: usize = 0; c < n4; c += 16) {
      const d = f32x4.mul(f32x4.sub(v128.load(x + c), means), factor);
      v128.store(y + c, fma(d, v128.load(weight + c), v128.load(bias + c)));
    }
    for (let c = n4; c < C4; c += 4) store<f32>(y + c, (load<f32>(x + c) - mean) * inv * load<f32>(weight + c) + load<f32>(bias + c));
    clearFew(y + C4, int(p, 5) - C);
  }
}
