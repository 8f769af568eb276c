import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TABLE_1, TABLE_9 } from '../../src/studies/paper.ts';
import { meanRanks, paretoFront, spearman, spearmanRho, studentP } from '../../src/studies/statistics.ts';

describe('rank correlation', () => {
  const all = Object.values(TABLE_9);
  const figure2 = all.filter(({ inFigure2 }) => inFigure2);

  it("gives the paper's Table 1 from its Table 9, over the 21 networks of Figure 2 and not over all 30", () => {
    const rho = (nets: typeof all, latency: 'mobile' | 'cpu', count: 'macs' | 'params'): number =>
      Number(
        spearmanRho(
          nets.map((net) => net[latency]),
          nets.map((net) => net[count]),
        ).toFixed(3),
      );
    const table = (nets: typeof all): number[] => [
      ...[rho(nets, 'mobile', 'macs'), rho(nets, 'mobile', 'params')],
      ...[rho(nets, 'cpu', 'macs'), rho(nets, 'cpu', 'params')],
    ];
    expect([figure2.length, all.length]).toEqual([21, 30]);
    expect(table(figure2)).toEqual([0.457, 0.301, 0.082, 0.129]);
    expect(table(all)).toEqual([0.379, 0.31, 0.425, 0.473]);
  });

  it("gives the paper's p-values from its correlations with 21 networks", () => {
    // Both are published with two digits: the p-value must be one of a correlation that rounds to the published one.
    const half = 0.005;
    for (const { macs, params } of [TABLE_1.mobile, TABLE_1.cpu])
      for (const { rho, p } of [macs, params]) {
        expect(p).toBeGreaterThan(studentP(rho + half, 21) - half);
        expect(p).toBeLessThan(studentP(rho - half, 21) + half);
      }
  });

  it('has p-values as tabulated: exact for few pairs, by Student’s t for many', () => {
    // Of 5! orders two are perfect, up or down.
    expect(spearman([1, 2, 3, 4, 5], [2, 3, 5, 7, 11])).toMatchObject({ rho: 1, p: 2 / 120, method: 'exact', n: 5 });
    // Student's t of 2.228 with 10 degrees of freedom: 5 %.
    const t = 2.2281388519649385;
    expect(studentP(t / Math.sqrt(10 + t * t), 12)).toBeCloseTo(0.05, 10);
    expect(studentP(0, 12)).toBeCloseTo(1, 12);
    expect(studentP(-1, 12)).toBe(0);
  });

  it('shares ranks among equal values, does not mind rising functions, and turns its sign', () => {
    expect(meanRanks([3, 1, 3, 2])).toEqual([3.5, 1, 3.5, 2]);
    const pairs = fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 0, max: 9 })), {
      minLength: 4,
      maxLength: 12,
    });
    fc.assert(
      fc.property(pairs, (list) => {
        const [a, b] = [list.map(([x]) => x), list.map(([, y]) => y)];
        fc.pre(new Set(a).size > 1 && new Set(b).size > 1);
        const rho = spearmanRho(a, b);
        expect(Math.abs(rho)).toBeLessThanOrEqual(1 + 1e-12);
        expect(spearmanRho(a.map(Math.exp), b)).toBeCloseTo(rho, 12);
        expect(
          spearmanRho(
            a.map((x) => -x),
            b,
          ),
        ).toBeCloseTo(-rho, 12);
      }),
    );
  });

  it('has an interval around it, the same each time', () => {
    const [a, b] = [figure2.map(({ macs }) => macs), figure2.map(({ mobile }) => mobile)];
    const { rho, interval, p, method } = spearman(a, b);
    expect(interval[0]).toBeLessThan(rho);
    expect(interval[1]).toBeGreaterThan(rho);
    expect(p).toBeCloseTo(0.037, 3);
    expect(method).toBe('t');
    expect(spearman(a, b).interval).toEqual(interval);
  });
});

it('a Pareto front has all points that none beats, and no other', () => {
  const points = fc.array(fc.record({ x: fc.integer({ min: 0, max: 20 }), y: fc.integer({ min: 0, max: 20 }) }), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(points, (list) => {
      const front = paretoFront(list);
      const beaten = (p: { x: number; y: number }): boolean =>
        list.some((q) => q.x <= p.x && q.y >= p.y && (q.x < p.x || q.y > p.y));
      expect(front.some(beaten)).toBe(false);
      const places = new Set(front.map(({ x, y }) => `${x} ${y}`));
      for (const p of list) expect(places.has(`${p.x} ${p.y}`)).toBe(!beaten(p));
    }),
  );
});
