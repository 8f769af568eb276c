/**
 * Learning from a teacher: the loss and its gradient in one pass over [N, C], by one thread in f64 (it is small beside a step).
 * The matrices p and q of probabilities lie in scratch, rows of C.
 */
import { exp, log } from './math';
import { float, int, ptr } from './vector';

/** Below this, a vector counts as constant: it correlates with nothing. */
const FLAT: f64 = 1e-8;

/** Writes softmax(x / T) of a row as f64 and returns log Σ exp of x / T. */
function row(x: usize, y: usize, C: i32, T: f64): f64 {
  let top: f64 = -Infinity, sum: f64 = 0;
  for (let c = 0; c < C; c++) top = max<f64>(top, <f64>load<f32>(x + (<usize>c << 2)) / T);
  for (let c = 0; c < C; c++) {
    const e = <f64>exp(<f32>(<f64>load<f32>(x + (<usize>c << 2)) / T - top));
    store<f64>(y + (<usize>c << 3), e);
    sum += e;
  }
  for (let c = 0; c < C; c++) store<f64>(y + (<usize>c << 3), load<f64>(y + (<usize>c << 3)) / sum);
  return top + <f64>log(<f32>sum);
}

/** 1 − ρ of two vectors of n values `stride` bytes apart; −weight · dρ/dp is added to `slope`. */
function uncorrelated(p: usize, q: usize, slope: usize, n: i32, stride: usize, weight: f64): f64 {
  let mp: f64 = 0, mq: f64 = 0, pq: f64 = 0, pp: f64 = 0, qq: f64 = 0;
  for (let i: usize = 0; i < <usize>n; i++) {
    mp += load<f64>(p + i * stride);
    mq += load<f64>(q + i * stride);
  }
  mp /= n;
  mq /= n;
  for (let i: usize = 0; i < <usize>n; i++) {
    const a = load<f64>(p + i * stride) - mp, b = load<f64>(q + i * stride) - mq;
    pq += a * b;
    pp += a * a;
    qq += b * b;
  }
  const np = Math.sqrt(pp), nq = Math.sqrt(qq);
  if (np < FLAT || nq < FLAT) return 1;
  const rho = pq / (np * nq);
  for (let i: usize = 0; i < <usize>n; i++) {
    const a = load<f64>(p + i * stride) - mp, b = load<f64>(q + i * stride) - mq, at = slope + i * stride;
    store<f64>(at, load<f64>(at) - weight * (b / nq - (rho * a) / np) / np);
  }
  return 1 - rho;
}

/**
 * 1 logits [N, ld], 2 target [N, C], 3 teacher [N, C], 4 loss out, 5 dlogits out [N, ld], 6 N, 7 C, 8 ld, 9 hard, 10 temperature,
 * 11 form (0 soft, 1 dist), 12 soft or inter, 13 intra, 14 scratch of 3 · N · C f64.
 */
export function distill(at: usize, tid: i32): void {
  if (tid) return;
  const N = int(at, 6), C = int(at, 7), ld = int(at, 8), hard = <f64>float(at, 9), T = <f64>float(at, 10), dist = int(at, 11);
  const first = <f64>float(at, 12), second = <f64>float(at, 13), rowBytes = <usize>C << 3, size = <usize>N * rowBytes;
  const p = ptr(at, 14), q = p + size, slope = q + size;
  let loss: f64 = 0;
  memory.fill(slope, 0, size);
  for (let n: usize = 0; n < <usize>N; n++) {
    const x = ptr(at, 1) + ((n * <usize>ld) << 2), t = ptr(at, 3) + ((n * <usize>C) << 2);
    const logP = row(x, p + n * rowBytes, C, T), logQ = row(t, q + n * rowBytes, C, T);
    if (dist) continue;
    for (let c: usize = 0; c < <usize>C; c++) {
      const difference = (<f64>load<f32>(t + (c << 2)) - <f64>load<f32>(x + (c << 2))) / T + logP - logQ;
      loss += (first * T * T * load<f64>(q + n * rowBytes + (c << 3)) * difference) / N;
    }
  }
  if (dist) {
    const TT = T * T;
    for (let n: usize = 0; n < <usize>N; n++) loss += (TT * first * uncorrelated(p + n * rowBytes, q + n * rowBytes, slope + n * rowBytes, C, 8, (TT * first) / N)) / N;
    for (let c: usize = 0; c < <usize>C; c++) loss += (TT * second * uncorrelated(p + (c << 3), q + (c << 3), slope + (c << 3), N, rowBytes, (TT * second) / C)) / C;
  }
  for (let n: usize = 0; n < <usize>N; n++) {
    const x = ptr(at, 1) + ((n * <usize>ld) << 2), y = ptr(at, 2) + ((n * <usize>C) << 2), out = ptr(at, 5) + ((n * <usize>ld) << 2);
    const pn = p + n * rowBytes, qn = q + n * rowBytes, sn = slope + n * rowBytes;
    let dot: f64 = 0, given: f64 = 0;
    for (let c: usize = 0; c < <usize>C; c++) {
      dot += load<f64>(sn + (c << 3)) * load<f64>(pn + (c << 3));
      given += <f64>load<f32>(y + (c << 2));
    }
    for (let c: usize = 0; c < <usize>C; c++) {
      const pc = load<f64>(pn + (c << 3));
      store<f32>(out + (c << 2), <f32>(dist ? (pc * (load<f64>(sn + (c << 3)) - dot)) / T : (first * T * (pc - load<f64>(qn + (c << 3)))) / N));
    }
    for (let c = C; c < ld; c++) store<f32>(out + (<usize>c << 2), 0);
    // From here on the row of q holds the probabilities at a temperature of 1.
    const logSum = row(x, qn, C, 1);
    for (let c: usize = 0; c < <usize>C; c++) {
      const target = <f64>load<f32>(y + (c << 2));
      loss += (hard * target * (logSum - <f64>load<f32>(x + (c << 2)))) / N;
      store<f32>(out + (c << 2), load<f32>(out + (c << 2)) + <f32>((hard * (load<f64>(qn + (c << 3)) * given - target)) / N));
    }
  }
  store<f32>(ptr(at, 4), <f32>loss);
}
