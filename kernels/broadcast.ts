/** Elementwise ops of two values of which one may be smaller. Activations are [rows, cs] with C channels used; the rest stays zero. */
import { ADD, MAX, MUL } from './broadcast-kinds';
import { int, ptr, share } from './vector';

@inline
function apply(kind: i32, x: v128, y: v128): v128 {
  if (kind == ADD) return f32x4.add(x, y);
  if (kind == MUL) return f32x4.mul(x, y);
  return f32x4.max(x, y);
}

/** The larger of two: 1 a, 2 b, 3 out, 4 n floats (a multiple of 8). */
export function largest(p: usize, tid: i32, nt: i32): void {
  const i1 = <usize>share(int(p, 4), 8, tid + 1, nt) << 2;
  for (let i = <usize>share(int(p, 4), 8, tid, nt) << 2; i < i1; i += 32) {
    const a = ptr(p, 1) + i, b = ptr(p, 2) + i, out = ptr(p, 3) + i;
    const first = f32x4.max(v128.load(a), v128.load(b)), second = f32x4.max(v128.load(a, 16), v128.load(b, 16));
    v128.store(out, first);
    v128.store(out, second, 16);
  }
}

@inline
function channelByChannel(kind: i32, a: usize, b: usize, out: usize, C4: usize): void {
  for (let c: usize = 0; c < C4; c += 32) {
    const first = apply(kind, v128.load(a + c), v128.load(b + c)), second = apply(kind, v128.load(a + c, 16), v128.load(b + c, 16));
    v128.store(out + c, first);
    v128.store(out + c, second, 16);
  }
}

@inline
function oneForAll(kind: i32, a: usize, b: usize, out: usize, C4: usize): void {
  const value = v128.load32_splat(b);
  for (let c: usize = 0; c < C4; c += 32) {
    const first = apply(kind, v128.load(a + c), value), second = apply(kind, v128.load(a + c, 16), value);
    v128.store(out + c, first);
    v128.store(out + c, second, 16);
  }
}

@inline
function each(kind: i32, p: usize, r0: i32, r1: i32): void {
  const C4 = <usize>int(p, 5) << 2, shared = int(p, 7), step = <usize>int(p, 8) << 2, one = int(p, 9);
  for (let r = r0; r < r1; r++) {
    const at = <usize>r * C4, b = ptr(p, 2) + <usize>(r / shared) * step;
    if (one) oneForAll(kind, ptr(p, 1) + at, b, ptr(p, 3) + at, C4);
    else channelByChannel(kind, ptr(p, 1) + at, b, ptr(p, 3) + at, C4);
  }
}

/**
 * 1 a, 2 b, 3 out, 4 rows, 5 cs, 6 which of broadcast-kinds.ts, 7 how many rows of a share a row of b, 8 stride of b's rows, 9 whether
 * b has one channel for all, 10 channels behind which zeros are to be written (0: they stay zero).
 */
export function broadcast(p: usize, tid: i32, nt: i32): void {
  const r0 = share(int(p, 4), 1, tid, nt), r1 = share(int(p, 4), 1, tid + 1, nt), kind = int(p, 6), C = int(p, 10), cs = int(p, 5);
  if (kind == ADD) each(ADD, p, r0, r1);
  else if (kind == MUL) each(MUL, p, r0, r1);
  else each(MAX, p, r0, r1);
  if (!C) return;
  for (let r = r0; r < r1; r++) for (let c = C; c < cs; c++) store<f32>(ptr(p, 3) + (<usize>(r * cs + c) << 2), 0);
}
