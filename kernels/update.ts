/**
 * Parameter updates over whole arenas (every parameter of a kind lies one after the other, in multiples of eight floats).
 * Eight floats a round, loads before stores: so V8 can merge the two halves into one vector of 256 bits.
 */
import { float, fma, int, ptr, share } from './vector';

@inline
function sgdLoop(p: usize, i: usize, i1: usize, nesterov: bool): void {
  const decay = f32x4.splat(int(p, 5) ? load<f32>(ptr(p, 7)) : 0), step = f32x4.splat(-load<f32>(ptr(p, 6)) * float(p, 11)), mu = f32x4.splat(float(p, 8));
  const scale = f32x4.splat(load<f32>(ptr(p, 10)));
  const param = ptr(p, 1), grad = ptr(p, 2), buffer = ptr(p, 3);
  for (; i < i1; i += 32) {
    const w0 = v128.load(param + i), w1 = v128.load(param + i, 16);
    const g0 = fma(decay, w0, f32x4.mul(scale, v128.load(grad + i))), g1 = fma(decay, w1, f32x4.mul(scale, v128.load(grad + i, 16)));
    const b0 = fma(mu, v128.load(buffer + i), g0), b1 = fma(mu, v128.load(buffer + i, 16), g1);
    v128.store(buffer + i, b0);
    v128.store(buffer + i, b1, 16);
    v128.store(param + i, fma(step, nesterov ? fma(mu, b0, g0) : b0, w0));
    v128.store(param + i, fma(step, nesterov ? fma(mu, b1, g1) : b1, w1), 16);
  }
}

/**
 * PyTorch's SGD: 1 param, 2 grad, 3 momentum buffer, 4 n, 5 decay (0/1), 6 lr, 7 weight_decay, 8 momentum, 9 nesterov,
 * 10 scale of the gradients (0: nothing is done), 11 multiple of lr.
 */
export function sgd(p: usize, tid: i32, nt: i32): void {
  if (load<f32>(ptr(p, 10)) == 0) return;
  const i0 = <usize>share(int(p, 4), 8, tid, nt) << 2, i1 = <usize>share(int(p, 4), 8, tid + 1, nt) << 2;
  if (int(p, 9)) sgdLoop(p, i0, i1, true);
  else sgdLoop(p, i0, i1, false);
}

/** base^n of a whole n ≥ 0, by squaring. */
function power(base: f64, n: i32): f64 {
  let result: f64 = 1;
  for (; n > 0; n >>= 1) {
    if (n & 1) result *= base;
    base *= base;
  }
  return result;
}

/**
 * PyTorch's AdamW: 1 param, 2 grad, 3 exp_avg, 4 exp_avg_sq, 5 n, 6 decay (0/1), 7 lr, 8 weight_decay, 9 step (from 1),
 * 10 1 − beta1, 11 1 − beta2, 12 epsilon, 13 scale of the gradients (0: nothing is done), 14 multiple of lr. What is the same for all weights is worked out in f64.
 */
export function adamw(p: usize, tid: i32, nt: i32): void {
  if (load<f32>(ptr(p, 13)) == 0) return;
  const scale = f32x4.splat(load<f32>(ptr(p, 13)));
  const param = ptr(p, 1), grad = ptr(p, 2), first = ptr(p, 3), second = ptr(p, 4), i1 = <usize>share(int(p, 5), 8, tid + 1, nt) << 2;
  const lr = <f64>load<f32>(ptr(p, 7)) * <f64>float(p, 14), t = <i32>load<f32>(ptr(p, 9));
  const keep = f32x4.splat(<f32>(int(p, 6) ? 1 - lr * <f64>load<f32>(ptr(p, 8)) : 1));
  const step = f32x4.splat(<f32>(-lr / (1 - power(1 - <f64>float(p, 10), t))));
  const root = f32x4.splat(<f32>(1 / Math.sqrt(1 - power(1 - <f64>float(p, 11), t))));
  const rest1 = f32x4.splat(float(p, 10)), rest2 = f32x4.splat(float(p, 11)), eps = f32x4.splat(float(p, 12));
  for (let i = <usize>share(int(p, 5), 8, tid, nt) << 2; i < i1; i += 32) {
    const g0 = f32x4.mul(scale, v128.load(grad + i)), g1 = f32x4.mul(scale, v128.load(grad + i, 16));
    const w0 = v128.load(param + i), w1 = v128.load(param + i, 16);
    const a0 = v128.load(first + i), a1 = v128.load(first + i, 16);
    const b0 = v128.load(second + i), b1 = v128.load(second + i, 16);
    const m0 = fma(rest1, f32x4.sub(g0, a0), a0), m1 = fma(rest1, f32x4.sub(g1, a1), a1);
    const v0 = fma(rest2, f32x4.sub(f32x4.mul(g0, g0), b0), b0), v1 = fma(rest2, f32x4.sub(f32x4.mul(g1, g1), b1), b1);
    const d0 = f32x4.div(m0, fma(f32x4.sqrt(v0), root, eps)), d1 = f32x4.div(m1, fma(f32x4.sqrt(v1), root, eps));
    v128.store(first + i, m0);
    v128.store(first + i, m1, 16);
    v128.store(second + i, v0);
    v128.store(second + i, v1, 16);
    v128.store(param + i, fma(step, d0, f32x4.mul(keep, w0)));
    v128.store(param + i, fma(step, d1, f32x4.mul(keep, w1)), 16);
  }
}

/** ema ← ema + (1 − decay) · (param − ema): 1 ema, 2 param, 3 n, 4 decay. */
export function ema(p: usize, tid: i32, nt: i32): void {
  const rest = f32x4.splat(1 - load<f32>(ptr(p, 4))), i1 = <usize>share(int(p, 3), 8, tid + 1, nt) << 2;
  const average = ptr(p, 1), param = ptr(p, 2);
  for (let i = <usize>share(int(p, 3), 8, tid, nt) << 2; i < i1; i += 32) {
    const e0 = v128.load(average + i), e1 = v128.load(average + i, 16);
    const w0 = v128.load(param + i), w1 = v128.load(param + i, 16);
    v128.store(average + i, fma(rest, f32x4.sub(w0, e0), e0));
    v128.store(average + i, fma(rest, f32x4.sub(w1, e1), e1), 16);
  }
}

/** Gradients of several runs: sum ← keep · sum + grad, grad ← sum: 1 sum, 2 grad, 3 n, 4 keep. */
export function accumulate(p: usize, tid: i32, nt: i32): void {
  const keep = f32x4.splat(load<f32>(ptr(p, 4))), i1 = <usize>share(int(p, 3), 8, tid + 1, nt) << 2;
  const sum = ptr(p, 1), grad = ptr(p, 2);
  for (let i = <usize>share(int(p, 3), 8, tid, nt) << 2; i < i1; i += 32) {
    const s0 = fma(keep, v128.load(sum + i), v128.load(grad + i)), s1 = fma(keep, v128.load(sum + i, 16), v128.load(grad + i, 16));
    v128.store(sum + i, s0);
    v128.store(sum + i, s1, 16);
    v128.store(grad + i, s0);
    v128.store(grad + i, s1, 16);
  }
}

/** Bytes between the threads' partial sums. */
const LINE: usize = 64;

/** Each thread's part of Σ x² in f64: 1 x, 2 n, 3 partial sums, 4 add to what is there (0/1). */
export function sumSquares(p: usize, tid: i32, nt: i32): void {
  const x = ptr(p, 1), out = ptr(p, 3) + <usize>tid * LINE, i1 = <usize>share(int(p, 2), 8, tid + 1, nt) << 2;
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (let i = <usize>share(int(p, 2), 8, tid, nt) << 2; i < i1; i += 16) {
    const v = v128.load(x + i);
    const a = f64x2.promote_low_f32x4(v), b = f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const both = f64x2.add(low, high);
  store<f64>(out, (int(p, 4) ? load<f64>(out) : 0) + f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1));
}

/** 1 partial sums of squares, 2 scale given, 3 largest norm, 4 scale out, 5 norm out. */
export function clipScale(p: usize, tid: i32, nt: i32): void {
  if (tid) return;
  let sum: f64 = 0;
  for (let t = 0; t < nt; t++) sum += load<f64>(ptr(p, 1) + <usize>t * LINE);
  const given = <f64>load<f32>(ptr(p, 2)), norm = given * Math.sqrt(sum), part = <f64>float(p, 3) / (norm + 1e-6);
  store<f32>(ptr(p, 4), <f32>(given * (part < 1 ? part : 1)));
  store<f32>(ptr(p, 5), <f32>norm);
}
