/**
 * Tensors of any number of axes, each with a step of its own in floats: copies that turn and cut them, and elementwise ops whose operands
 * are broadcast. An instruction lists eight (or five) dimensions, the innermost last, those that are not needed of length 1.
 */
import { ADD, MUL } from './broadcast-kinds';
import { clearFew, int, ptr, share } from './vector';

/** Rows that are copied together: transposed four by four they fill whole lines of the cache. */
const ROWS: i32 = 32;

/** Four rows of four floats, columns becoming rows: from `a` on in steps of `lda` bytes, to `b` on in steps of `ldb`. */
@inline
function transpose4(a: usize, lda: usize, b: usize, ldb: usize): void {
  const r0 = v128.load(a), r1 = v128.load(a + lda), r2 = v128.load(a + lda + lda), r3 = v128.load(a + lda + lda + lda);
  const p = i32x4.shuffle(r0, r1, 0, 4, 1, 5), q = i32x4.shuffle(r2, r3, 0, 4, 1, 5);
  const s = i32x4.shuffle(r0, r1, 2, 6, 3, 7), t = i32x4.shuffle(r2, r3, 2, 6, 3, 7);
  v128.store(b, i32x4.shuffle(p, q, 0, 1, 4, 5));
  v128.store(b + ldb, i32x4.shuffle(p, q, 2, 3, 6, 7));
  v128.store(b + ldb + ldb, i32x4.shuffle(s, t, 0, 1, 4, 5));
  v128.store(b + ldb + ldb + ldb, i32x4.shuffle(s, t, 2, 3, 6, 7));
}

/**
 * [rows][n] floats, whose elements lie `step` bytes apart and whose rows `down` bytes, to rows without gaps, `across` bytes apart.
 * What is transposed has neighbors in neighboring rows.
 */
export function copyRows(from: usize, down: usize, step: usize, to: usize, across: usize, rows: i32, n: i32): void {
  let r = 0;
  if (down == 4 && step != 4) for (; r + 4 <= rows; r += 4) {
    let a = from + (<usize>r << 2), b = to + <usize>r * across, c = 0;
    for (; c + 4 <= n; c += 4) {
      transpose4(a, step, b, across);
      a += step << 2;
      b += 16;
    }
    for (; c < n; c++) {
      for (let i: usize = 0; i < 4; i++) store<f32>(b + i * across, load<f32>(a + (i << 2)));
      a += step;
      b += 4;
    }
  }
  // Single elements repeated: whole vectors, of which the next row overwrites what is too much.
  if (step == 0 && across == <usize>n << 2) for (; r + 2 <= rows; r++) {
    const value = v128.load32_splat(from + <usize>r * down), b = to + <usize>r * across;
    for (let c: usize = 0; c < across; c += 16) v128.store(b + c, value);
  }
  for (; r < rows; r++) {
    let a = from + <usize>r * down, b = to + <usize>r * across, c = 0;
    if (step == 4) for (; c + 4 <= n; c += 4) {
      v128.store(b, v128.load(a));
      a += 16;
      b += 16;
    } else if (step == 0) for (; c + 4 <= n; c += 4) {
      v128.store(b, v128.load32_splat(a));
      b += 16;
    }
    for (; c < n; c++) {
      store<f32>(b, load<f32>(a));
      a += step;
      b += 4;
    }
  }
}

/** 1 x, 2 y, 3 zeros behind each innermost run, 4 … lengths, steps of x and steps of y of each of eight dimensions; y's innermost step is 1. */
export function copy(p: usize, tid: i32, nt: i32): void {
  const zeros = int(p, 3), rows = int(p, 22), n = int(p, 25), blocks = (rows + ROWS - 1) / ROWS;
  const down = <usize>int(p, 23) << 2, across = <usize>int(p, 24) << 2, step = <usize>int(p, 26) << 2;
  let outer = blocks;
  for (let d = 0; d < 6; d++) outer *= int(p, 4 + 3 * d);
  const i1 = share(outer, 1, tid + 1, nt);
  for (let i = share(outer, 1, tid, nt); i < i1; i++) {
    const first = (i % blocks) * ROWS, count = min(ROWS, rows - first);
    let x = ptr(p, 1) + <usize>first * down, y = ptr(p, 2) + <usize>first * across, left = i / blocks;
    for (let d = 5; d >= 0; d--) {
      const length = int(p, 4 + 3 * d);
      if (length == 1) continue;
      const at = left % length;
      left /= length;
      x += <usize>(at * int(p, 5 + 3 * d)) << 2;
      y += <usize>(at * int(p, 6 + 3 * d)) << 2;
    }
    copyRows(x, down, step, y, across, count, n);
    if (zeros) for (let r = 0; r < count; r++) clearFew(y + <usize>r * across + (<usize>n << 2), zeros);
  }
}

@inline
function one(kind: i32, a: f32, b: f32): f32 {
  return kind == ADD ? a + b : kind == MUL ? a * b : max<f32>(a, b);
}

@inline
function four(kind: i32, a: v128, b: v128): v128 {
  return kind == ADD ? f32x4.add(a, b) : kind == MUL ? f32x4.mul(a, b) : f32x4.max(a, b);
}

/** n floats; elements lie `sa` and `sb` bytes apart, vectors are made where these are 0 or 4. */
@inline
function run(kind: i32, a: usize, sa: usize, b: usize, sb: usize, y: usize, n: i32): void {
  let i = 0;
  if (sa == 4 && sb == 4) for (; i + 4 <= n; i += 4) {
    v128.store(y, four(kind, v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
    y += 16;
  } else if (sa == 4 && sb == 0) for (; i + 4 <= n; i += 4) {
    v128.store(y, four(kind, v128.load(a), v128.load32_splat(b)));
    a += 16;
    y += 16;
  }
  for (; i < n; i++) {
    store<f32>(y, one(kind, load<f32>(a), load<f32>(b)));
    a += sa;
    b += sb;
    y += 4;
  }
}

/** Floats of an innermost run that one thread takes at a time. */
const RUN: i32 = 1024;

@inline
function each(kind: i32, p: usize, i0: i32, i1: i32): void {
  const zeros = int(p, 4), n = int(p, 21), runs = (n + RUN - 1) / RUN, sa = <usize>int(p, 22) << 2, sb = <usize>int(p, 23) << 2;
  for (let i = i0; i < i1; i++) {
    const first = (i % runs) * RUN, count = min(RUN, n - first);
    let a = ptr(p, 1) + <usize>first * sa, b = ptr(p, 2) + <usize>first * sb, y = ptr(p, 3) + (<usize>first << 2), left = i / runs;
    for (let d = 3; d >= 0; d--) {
      const length = int(p, 5 + 4 * d);
      if (length == 1) continue;
      const at = left % length;
      left /= length;
      a += <usize>(at * int(p, 6 + 4 * d)) << 2;
      b += <usize>(at * int(p, 7 + 4 * d)) << 2;
      y += <usize>(at * int(p, 8 + 4 * d)) << 2;
    }
    run(kind, a, sa, b, sb, y, count);
    if (first + count == n) clearFew(y + (<usize>count << 2), zeros);
  }
}

/**
 * y = a ∘ b: 1 a, 2 b, 3 y, 4 zeros behind each innermost run, 5 … lengths and steps of a, b and y of four dimensions, 21 length of the
 * innermost and 22 a's and 23 b's steps of it (y's is 1), 24 which of broadcast-kinds.ts.
 */
export function combine(p: usize, tid: i32, nt: i32): void {
  let items = (int(p, 21) + RUN - 1) / RUN;
  for (let d = 0; d < 4; d++) items *= int(p, 5 + 4 * d);
  const i0 = share(items, 1, tid, nt), i1 = share(items, 1, tid + 1, nt), kind = int(p, 24);
  if (kind == ADD) each(ADD, p, i0, i1);
  else if (kind == MUL) each(MUL, p, i0, i1);
  else each(3, p, i0, i1);
}
