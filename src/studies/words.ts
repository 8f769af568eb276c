/** Numbers and sentences that studies have in common. */
import type { RankCorrelation } from './statistics.ts';

/** A correlation with two digits and a proper minus. */
export const rhoText = (rho: number): string => rho.toFixed(2).replace('-', '−');

/** `p = 0.03`, `p < 0.001`. */
export const pText = (p: number): string => (p < 0.001 ? 'p < 0.001' : `p = ${p < 0.01 ? p.toFixed(3) : p.toFixed(2)}`);

/** `0.47 (95 %: 0.05 to 0.75, p = 0.03)`. */
export const correlationText = ({ rho, interval: [low, high], p }: RankCorrelation): string =>
  `${rhoText(rho)} (95 %: ${rhoText(low)} to ${rhoText(high)}, ${pText(p)})`;

/** How strong a rank correlation is, as an adverb. */
export function strength(rho: number): string {
  const size = Math.abs(rho);
  const words: readonly (readonly [number, string])[] = [
    [0.2, 'hardly'],
    [0.4, 'weakly'],
    [0.6, 'moderately'],
    [0.8, 'strongly'],
    [Number.POSITIVE_INFINITY, 'very strongly'],
  ];
  return words.find(([below]) => size < below)![1];
}

/** `a`, `a and b`, `a, b and c`. */
export function listText(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** `1 network`, `2 networks`. */
export const countText = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

/** Milliseconds with three digits. */
export const msText = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** A number with so many digits, as a number: for tables. */
export const digits = (value: number, count = 4): number => Number(value.toPrecision(count));
