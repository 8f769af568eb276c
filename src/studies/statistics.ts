/** Rank correlation with what is known of its certainty. */
import { ascending, bootstrapInterval } from '../bench/statistics.ts';

/** Ranks from 1; equal values share the mean of their ranks. */
export function meanRanks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks: number[] = new Array(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1]!] === values[order[from]!]) to++;
    for (let i = from; i <= to; i++) ranks[order[i]!] = (from + to) / 2 + 1;
    from = to + 1;
  }
  return ranks;
}

/** Pearson's correlation; NaN where a list is constant. */
export function pearson(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [da, db] = [a[i]! - meanA, b[i]! - meanB];
    ab += da * db;
    aa += da * da;
    bb += db * db;
  }
  return ab / Math.sqrt(aa * bb);
}

/** Spearman's rank correlation, with mean ranks for equal values; NaN where a list is constant. */
export const spearmanRho = (a: readonly number[], b: readonly number[]): number => pearson(meanRanks(a), meanRanks(b));

export interface RankCorrelation {
  readonly rho: number;
  /** Probability, without any relation, of a correlation at least so far from zero. */
  readonly p: number;
  /** How `p` was computed: from all permutations, or by Student's t with n − 2 degrees of freedom. */
  readonly method: 'exact' | 't';
  /** 95 % bootstrap interval (percentiles) of `rho`, pairs drawn with repetition; the same pairs give the same interval. */
  readonly interval: readonly [low: number, high: number];
  readonly n: number;
}

/** Up to so many pairs all permutations are counted: 8! are 40,320. */
const EXACT = 8;

/** Spearman's rank correlation of pairs with its p-value (two-sided) and bootstrap interval. Throws a RangeError for fewer than three pairs. */
export function spearman(a: readonly number[], b: readonly number[]): RankCorrelation {
  const n = a.length;
  if (n < 3 || b.length !== n) throw new RangeError(`a rank correlation needs at least three pairs, got ${n}`);
  const rho = spearmanRho(a, b);
  const method = n <= EXACT ? 'exact' : 't';
  const interval = bootstrapInterval([n], (drawn) => {
    const value = spearmanRho(
      drawn!.map((i) => a[i]!),
      drawn!.map((i) => b[i]!),
    );
    // A sample of one pair over and over has no order.
    return Number.isNaN(value) ? 0 : value;
  });
  return {
    rho,
    p: method === 'exact' ? exactP(meanRanks(a), meanRanks(b), rho) : studentP(rho, n),
    method,
    interval,
    n,
  };
}

/** Share of all permutations that correlate at least so strongly. */
function exactP(a: readonly number[], b: readonly number[], rho: number): number {
  let [all, asFar] = [0, 0];
  const permuted = [...b];
  const visit = (k: number): void => {
    if (k === permuted.length) {
      all++;
      if (Math.abs(pearson(a, permuted)) >= Math.abs(rho) - 1e-12) asFar++;
      return;
    }
    for (let i = k; i < permuted.length; i++) {
      [permuted[k], permuted[i]] = [permuted[i]!, permuted[k]!];
      visit(k + 1);
      [permuted[k], permuted[i]] = [permuted[i]!, permuted[k]!];
    }
  };
  visit(0);
  return asFar / all;
}

/** Two-sided p-value of a correlation by t = ρ √((n − 2) / (1 − ρ²)), which is near the truth from ten pairs on. */
export function studentP(rho: number, n: number): number {
  const freedom = n - 2;
  const x = 1 - rho * rho;
  // P(|t| > t₀) = I(ν / (ν + t₀²); ν / 2, ½), and ν / (ν + t₀²) is 1 − ρ².
  return x <= 0 ? 0 : Math.min(1, incompleteBeta(x, freedom / 2, 0.5));
}

/** Logarithm of the gamma function (Lanczos), for x > 0. */
function logGamma(x: number): number {
  const terms = [
    76.18009172947146, -86.50532032941678, 24.01409824083091, -1.231739572450155, 1.208650973866179e-3,
    -5.395239384953e-6,
  ];
  const series = terms.reduce((sum, term, i) => sum + term / (x + 1 + i), 1.000000000190015);
  const t = x + 5.5;
  return (x + 0.5) * Math.log(t) - t + Math.log((Math.sqrt(2 * Math.PI) * series) / x);
}

/** Regularized incomplete beta function I(x; a, b), by its continued fraction (Lentz). */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0 || x >= 1) return x <= 0 ? 0 : 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log(1 - x));
  const least = 1e-300;
  const guard = (value: number): number => (Math.abs(value) < least ? least : value);
  let c = 1;
  let d = 1 / guard(1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / guard(1 + even * d);
    c = guard(1 + even / c);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / guard(1 + odd * d);
    c = guard(1 + odd / c);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-14) break;
  }
  return (front * fraction) / a;
}

/** Points that no other beats in both: less of x, and more of y. In rising order of x. */
export function paretoFront<T extends { readonly x: number; readonly y: number }>(points: readonly T[]): T[] {
  const front: T[] = [];
  for (const point of [...points].sort((a, b) => a.x - b.x || b.y - a.y))
    if (front.length === 0 || point.y > front.at(-1)!.y) front.push(point);
  return front;
}

/** Straight line y = slope · x + offset by least squares. */
export function linearFit(points: readonly { readonly x: number; readonly y: number }[]): {
  readonly slope: number;
  readonly offset: number;
} {
  const n = points.length;
  const [x, y] = [points.reduce((sum, p) => sum + p.x, 0) / n, points.reduce((sum, p) => sum + p.y, 0) / n];
  const xx = points.reduce((sum, p) => sum + (p.x - x) ** 2, 0);
  const slope = xx === 0 ? 0 : points.reduce((sum, p) => sum + (p.x - x) * (p.y - y), 0) / xx;
  return { slope, offset: y - slope * x };
}

/** Median of a list in any order. */
export function median(values: readonly number[]): number {
  const sorted = ascending(values);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}
