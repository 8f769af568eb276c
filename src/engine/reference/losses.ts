/** Softmax and what is learned from a teacher, written as the papers do: loops over rows and columns. */
import type { DistillAttrs } from '../../graph/kinds.ts';
import { type Array64, map, zeros } from './array.ts';

/** Rows of log softmax, x − max − log Σ e^(x − max), so that no probability is rounded to zero first. */
export function logSoftmax(x: Array64): Array64 {
  const classes = x.shape.at(-1)!;
  const y = zeros(x.shape);
  for (let first = 0; first < x.data.length; first += classes) {
    let top = Number.NEGATIVE_INFINITY;
    for (let i = first; i < first + classes; i++) top = Math.max(top, x.data[i]!);
    let sum = 0;
    for (let i = first; i < first + classes; i++) sum += Math.exp(x.data[i]! - top);
    for (let i = first; i < first + classes; i++) y.data[i] = x.data[i]! - top - Math.log(sum);
  }
  return y;
}

/** Pearson's correlation of two vectors and its derivative by the first; 0 and none where one of them is constant. */
export function correlation(p: readonly number[], q: readonly number[]): { rho: number; slope: number[] } {
  const mean = (x: readonly number[]): number => x.reduce((a, b) => a + b, 0) / x.length;
  const [mp, mq] = [mean(p), mean(q)];
  const [a, b] = [p.map((value) => value - mp), q.map((value) => value - mq)];
  const dot = (x: readonly number[], y: readonly number[]): number =>
    x.reduce((sum, value, i) => sum + value * y[i]!, 0);
  const [na, nb] = [Math.sqrt(dot(a, a)), Math.sqrt(dot(b, b))];
  if (na < 1e-8 || nb < 1e-8) return { rho: 0, slope: p.map(() => 0) };
  const rho = dot(a, b) / (na * nb);
  return { rho, slope: a.map((value, i) => (b[i]! / nb - (rho * value) / na) / na) };
}

type Vectors = { readonly indices: readonly number[]; readonly weight: number }[];

/** Rows with the weight of `inter`, columns with that of `intra`, each as places in the matrix. */
function vectorsOf([n, c]: readonly number[], inter: number, intra: number): Vectors {
  const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
  return [
    ...range(n!).map((row) => ({ indices: range(c!).map((i) => row * c! + i), weight: inter / n! })),
    ...range(c!).map((column) => ({ indices: range(n!).map((i) => i * c! + column), weight: intra / c! })),
  ];
}

/** The loss of `DistillAttrs`. */
export function distillationLoss(logits: Array64, target: Array64, teacher: Array64, attrs: DistillAttrs): number {
  const { hard, temperature: T } = attrs;
  const n = logits.shape[0]!;
  const hardLogs = logSoftmax(logits);
  let loss = 0;
  for (let i = 0; i < hardLogs.data.length; i++) loss -= (hard * target.data[i]! * hardLogs.data[i]!) / n;
  const [p, q] = [logits, teacher].map((x) => logSoftmax(map(x, (value) => value / T))) as [Array64, Array64];
  if (attrs.form === 'soft') {
    for (let i = 0; i < p.data.length; i++)
      loss += (attrs.soft * T * T * Math.exp(q.data[i]!) * (q.data[i]! - p.data[i]!)) / n;
    return loss;
  }
  for (const { indices, weight } of vectorsOf(logits.shape, attrs.inter, attrs.intra)) {
    const of = (x: Array64): number[] => indices.map((i) => Math.exp(x.data[i]!));
    loss += T * T * weight * (1 - correlation(of(p), of(q)).rho);
  }
  return loss;
}

/** Its derivative by the student's logits. */
export function distillationGrad(logits: Array64, target: Array64, teacher: Array64, attrs: DistillAttrs): Array64 {
  const { hard, temperature: T } = attrs;
  const [n, c] = logits.shape as [number, number];
  const probabilities = (x: Array64, t: number): Array64 => map(logSoftmax(map(x, (value) => value / t)), Math.exp);
  const [p1, p, q] = [probabilities(logits, 1), probabilities(logits, T), probabilities(teacher, T)];
  const byP = zeros(logits.shape);
  if (attrs.form === 'dist')
    for (const { indices, weight } of vectorsOf(logits.shape, attrs.inter, attrs.intra)) {
      const of = (x: Array64): number[] => indices.map((i) => x.data[i]!);
      correlation(of(p), of(q)).slope.forEach((value, j) => {
        byP.data[indices[j]!]! -= T * T * weight * value;
      });
    }
  const dlogits = zeros(logits.shape);
  for (let first = 0; first < n * c; first += c) {
    let [given, dot] = [0, 0];
    for (let i = first; i < first + c; i++) {
      given += target.data[i]!;
      dot += byP.data[i]! * p.data[i]!;
    }
    for (let i = first; i < first + c; i++) {
      const soft =
        attrs.form === 'soft'
          ? (attrs.soft * T * (p.data[i]! - q.data[i]!)) / n
          : (p.data[i]! * (byP.data[i]! - dot)) / T;
      dlogits.data[i] = (hard * (p1.data[i]! * given - target.data[i]!)) / n + soft;
    }
  }
  return dlogits;
}
