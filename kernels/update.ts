/** Parameter updates over whole arenas (every parameter of a kind lies one after the other). */
import { float, fma, int, ptr, share } from './vector';

/** PyTorch's SGD: 1 param, 2 grad, 3 momentum buffer, 4 n, 5 decay (0/1), 6 lr, 7 weight_decay, 8 momentum, 9 nesterov. */
export function sgd(p: usize, tid: i32, nt: i32): void {
  const decay = f32x4.splat(int(p, 5) ? load<f32>(ptr(p, 7)) : 0), step = f32x4.splat(-load<f32>(ptr(p, 6))), mu = f32x4.splat(float(p, 8));
  const nesterov = int(p, 9), i1 = <usize>share(int(p, 4), 4, tid + 1, nt) << 2;
  for (let i = <usize>share(int(p, 4), 4, tid, nt) << 2; i < i1; i += 16) {
    const w = v128.load(ptr(p, 1) + i), g = fma(decay, w, v128.load(ptr(p, 2) + i));
    const buffer = fma(mu, v128.load(ptr(p, 3) + i), g);
    v128.store(ptr(p, 3) + i, buffer);
    v128.store(ptr(p, 1) + i, fma(step, nesterov ? fma(mu, buffer, g) : buffer, w));
  }
}

/** ema ← ema + (1 − decay) · (param − ema): 1 ema, 2 param, 3 n, 4 decay. */
export function ema(p: usize, tid: i32, nt: i32): void {
  const rest = f32x4.splat(1 - load<f32>(ptr(p, 4))), i1 = <usize>share(int(p, 3), 4, tid + 1, nt) << 2;
  for (let i = <usize>share(int(p, 3), 4, tid, nt) << 2; i < i1; i += 16) {
    const e = v128.load(ptr(p, 1) + i);
    v128.store(ptr(p, 1) + i, fma(rest, f32x4.sub(v128.load(ptr(p, 2) + i), e), e));
  }
}
