/** Softmax, cross-entropy with soft labels, and its gradient. Logits are [N, ld], targets [N, C] without padding. */
import { exp, log } from './math';
import { int, ptr, share } from './vector';

/** Writes softmax of one row (the tail zero) and returns log Σ exp. */
function softmaxRow(x: usize, y: usize, C: i32, ld: i32): f32 {
  let top: f32 = -Infinity, sum: f32 = 0;
  for (let c = 0; c < C; c++) top = max<f32>(top, load<f32>(x + (<usize>c << 2)));
  for (let c = 0; c < C; c++) {
    const e = exp(load<f32>(x + (<usize>c << 2)) - top);
    store<f32>(y + (<usize>c << 2), e);
    sum += e;
  }
  const inv: f32 = 1 / sum;
  for (let c = 0; c < ld; c++) {
    const q = y + (<usize>c << 2);
    store<f32>(q, c < C ? load<f32>(q) * inv : 0);
  }
  return top + log(sum);
}

/** 1 x, 2 y, 3 N, 4 C, 5 ld. */
export function softmax(p: usize, tid: i32, nt: i32): void {
  const ld = int(p, 5), n1 = share(int(p, 3), 1, tid + 1, nt);
  for (let n = share(int(p, 3), 1, tid, nt); n < n1; n++) softmaxRow(ptr(p, 1) + (<usize>(n * ld) << 2), ptr(p, 2) + (<usize>(n * ld) << 2), int(p, 4), ld);
}

/** 1 logits, 2 target, 3 probabilities out, 4 losses out [N], 5 N, 6 C, 7 ld. */
export function loss(p: usize, tid: i32, nt: i32): void {
  const C = int(p, 6), ld = int(p, 7), n1 = share(int(p, 5), 1, tid + 1, nt);
  for (let n = share(int(p, 5), 1, tid, nt); n < n1; n++) {
    const x = ptr(p, 1) + (<usize>(n * ld) << 2), target = ptr(p, 2) + (<usize>(n * C) << 2);
    const logSum = softmaxRow(x, ptr(p, 3) + (<usize>(n * ld) << 2), C, ld);
    let s: f32 = 0;
    for (let c = 0; c < C; c++) s += load<f32>(target + (<usize>c << 2)) * (logSum - load<f32>(x + (<usize>c << 2)));
    store<f32>(ptr(p, 4) + (<usize>n << 2), s);
  }
}

/** Mean of n floats: 1 x, 2 out, 3 n. */
export function mean(p: usize, tid: i32, nt: i32): void {
  if (tid) return;
  let s: f64 = 0;
  for (let i = 0; i < int(p, 3); i++) s += load<f32>(ptr(p, 1) + (<usize>i << 2));
  store<f32>(ptr(p, 2), <f32>(s / int(p, 3)));
}

/** dlogits = (probabilities · Σ target − target) / N: 1 probabilities, 2 target, 3 dlogits, 4 N, 5 C, 6 ld. */
export function lossGrad(p: usize, tid: i32, nt: i32): void {
  const N = int(p, 4), C = int(p, 5), ld = int(p, 6), n1 = share(N, 1, tid + 1, nt), inv: f32 = <f32>1 / <f32>N;
  for (let n = share(N, 1, tid, nt); n < n1; n++) {
    const q = ptr(p, 1) + (<usize>(n * ld) << 2), target = ptr(p, 2) + (<usize>(n * C) << 2), out = ptr(p, 3) + (<usize>(n * ld) << 2);
    let weight: f32 = 0;
    for (let c = 0; c < C; c++) weight += load<f32>(target + (<usize>c << 2));
    for (let c = 0; c < ld; c++) {
      const at = <usize>c << 2;
      store<f32>(out + at, c < C ? (load<f32>(q + at) * weight - load<f32>(target + at)) * inv : 0);
    }
  }
}

/** Cross-entropy with the logistic function: 1 logits, 2 target, 3 losses out [N] (mean over C), 4 N, 5 C, 6 ld. */
export function bceLoss(p: usize, tid: i32, nt: i32): void {
  const C = int(p, 5), ld = int(p, 6), n1 = share(int(p, 4), 1, tid + 1, nt);
  for (let n = share(int(p, 4), 1, tid, nt); n < n1; n++) {
    const x = ptr(p, 1) + (<usize>(n * ld) << 2), target = ptr(p, 2) + (<usize>(n * C) << 2);
    let s: f32 = 0;
    for (let c = 0; c < C; c++) {
      const v = load<f32>(x + (<usize>c << 2));
      s += max<f32>(v, 0) - v * load<f32>(target + (<usize>c << 2)) + log(1 + exp(-abs<f32>(v)));
    }
    store<f32>(ptr(p, 3) + (<usize>n << 2), s / <f32>C);
  }
}

/** dlogits = (σ(logits) − target) / (N · C): 1 logits, 2 target, 3 dlogits, 4 N, 5 C, 6 ld. */
export function bceGrad(p: usize, tid: i32, nt: i32): void {
  const N = int(p, 4), C = int(p, 5), ld = int(p, 6), n1 = share(N, 1, tid + 1, nt), inv: f32 = 1 / (<f32>N * <f32>C);
  for (let n = share(N, 1, tid, nt); n < n1; n++) {
    const x = ptr(p, 1) + (<usize>(n * ld) << 2), target = ptr(p, 2) + (<usize>(n * C) << 2), out = ptr(p, 3) + (<usize>(n * ld) << 2);
    for (let c = 0; c < ld; c++) {
      const at = <usize>c << 2;
      store<f32>(out + at, c < C ? (1 / (1 + exp(-load<f32>(x + at))) - load<f32>(target + at)) * inv : 0);
    }
  }
}
