/**
 * Parameter updates over whole arenas (every parameter of a kind lies one after the other, in multiples of eight floats).
 * Eight floats a round, loads before stores: so V8 can merge the two halves into one vector of 256 bits.
 */
import { float, fma, int, ptr, share } from './vector';

@inline
function sgdLoop(p: usize, i: usize, i1: usize, nesterov: bool): void {
  const decay = f32x4.splat(int(p, 5) ? load<f32>(ptr(p, 7)) : 0), step = f32x4.splat(-load<f32>(ptr(p, 6))), mu = f32x4.splat(float(p, 8));
  const param = ptr(p, 1), grad = ptr(p, 2), buffer = ptr(p, 3);
  for (; i < i1; i += 32) {
    const w0 = v128.load(param + i), w1 = v128.load(param + i, 16);
    const g0 = fma(decay, w0, v128.load(grad + i)), g1 = fma(decay, w1, v128.load(grad + i, 16));
    const b0 = fma(mu, v128.load(buffer + i), g0), b1 = fma(mu, v128.load(buffer + i, 16), g1);
    v128.store(buffer + i, b0);
    v128.store(buffer + i, b1, 16);
    v128.store(param + i, fma(step, nesterov ? fma(mu, b0, g0) : b0, w0));
    v128.store(param + i, fma(step, nesterov ? fma(mu, b1, g1) : b1, w1), 16);
  }
}

/** PyTorch's SGD: 1 param, 2 grad, 3 momentum buffer, 4 n, 5 decay (0/1), 6 lr, 7 weight_decay, 8 momentum, 9 nesterov. */
export function sgd(p: usize, tid: i32, nt: i32): void {
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
 * 10 1 − beta1, 11 1 − beta2, 12 epsilon. What is the same for all weights is worked out in f64.
 */
export function adamw(p: usize, tid: i32, nt: i32): void {
  const param = ptr(p, 1), grad = ptr(p, 2), first = ptr(p, 3), second = ptr(p, 4), i1 = <usize>share(int(p, 5), 8, tid + 1, nt) << 2;
  const lr = <f64>load<f32>(ptr(p, 7)), t = <i32>load<f32>(ptr(p, 9));
  const keep = f32x4.splat(<f32>(int(p, 6) ? 1 - lr * <f64>load<f32>(ptr(p, 8)) : 1));
  const step = f32x4.splat(<f32>(-lr / (1 - power(1 - <f64>float(p, 10), t))));
  const root = f32x4.splat(<f32>(1 / Math.sqrt(1 - power(1 - <f64>float(p, 11), t))));
  const rest1 = f32x4.splat(float(p, 10)), rest2 = f32x4.splat(float(p, 11)), eps = f32x4.splat(float(p, 12));
  for (let i = <usize>share(int(p, 5), 8, tid, nt) << 2; i < i1; i += 32) {
    const g0 = v128.load(grad + i), g1 = v128.load(grad + i, 16);
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
