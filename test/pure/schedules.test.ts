import { describe, expect, it } from 'vitest';
import { cosine, emaDecay, learningRate, weightDecay } from '../../src/step/schedules.ts';

describe('schedules', () => {
  it('follows the cosine from start to end', () => {
    expect(cosine(1, 0, 0, 10)).toBe(1);
    expect(cosine(1, 0, 5, 10)).toBeCloseTo(0.5);
    expect(cosine(1, 0.25, 10, 10)).toBeCloseTo(0.25);
    expect(cosine(1, 0.25, 99, 10)).toBeCloseTo(0.25);
  });

  it('warms the learning rate up linearly and then goes down', () => {
    const schedule = { start: 0.1, end: 1e-3, warmupSteps: 4, totalSteps: 20 };
    const rates = Array.from({ length: 20 }, (_, t) => learningRate(schedule, t));
    expect(rates.slice(0, 4)).toEqual([1, 2, 3, 4].map((t) => (0.1 * t) / 5));
    expect(rates[4]).toBeCloseTo(0.1);
    for (let t = 5; t < 20; t++) expect(rates[t]).toBeLessThan(rates[t - 1]!);
    expect(rates[19]).toBeGreaterThan(1e-3);
    expect(learningRate({ ...schedule, warmupSteps: 0 }, 0)).toBe(0.1);
  });

  it('anneals weight decay as the paper: 1e-5 + ½ · 9e-5 · (1 + cos πt/T)', () => {
    for (const t of [0, 3, 10]) {
      expect(weightDecay(1e-4, 1e-5, t, 10)).toBeCloseTo(1e-5 + 0.5 * 9e-5 * (1 + Math.cos((Math.PI * t) / 10)), 12);
    }
  });

  it('lets the average forget the first weights', () => {
    expect(emaDecay(0.9995, 0)).toBeCloseTo(0.1);
    expect(emaDecay(0.9995, 90)).toBeCloseTo(0.91);
    expect(emaDecay(0.9995, 1e6)).toBe(0.9995);
    expect(emaDecay(0, 5)).toBe(0);
  });
});
