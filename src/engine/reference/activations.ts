/** Activations of one value, as their papers and PyTorch define them. */

export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export const hardSigmoid = (x: number): number => Math.min(Math.max(x / 6 + 0.5, 0), 1);

/** Error function, to the last digits: 2/√π · e^(−x²) · Σ 2ⁿ x^(2n+1) / (1 · 3 · … · (2n+1)), whose terms are all of one sign. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

export const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
