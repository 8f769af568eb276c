import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Box, type LabeledPoint, type PlaceOptions, placeLabels } from '../../src/report/study/labels.ts';
import { apart } from '../../src/report/study/lines.ts';

const OPTIONS: PlaceOptions = { width: 400, height: 300, lineHeight: 14, widthOf: (text) => 6 * text.length };
const point = fc.record({
  x: fc.integer({ min: 0, max: 400 }),
  y: fc.integer({ min: 0, max: 300 }),
  radius: fc.constant(5),
  label: fc.string({ minLength: 1, maxLength: 18 }),
});
const meet = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
const around = ({ x, y, radius }: LabeledPoint): Box => ({
  ...{ left: x - radius, right: x + radius, top: y - radius, bottom: y + radius },
});

describe('labels of points', () => {
  it('cover neither each other nor other points nor obstacles, and stay in the figure', () => {
    const obstacle: Box = { left: 100, right: 300, top: 150, bottom: 152 };
    fc.assert(
      fc.property(fc.array(point, { maxLength: 40 }), (points) => {
        const { placed, omitted } = placeLabels(points, { ...OPTIONS, obstacles: [obstacle] });
        expect(placed.length + omitted.length).toBe(points.length);
        placed.forEach(({ box, index }, i) => {
          expect(placed.some((other, j) => j !== i && meet(box, other.box))).toBe(false);
          expect(points.some((other, j) => j !== index && meet(box, around(other)))).toBe(false);
          expect(meet(box, obstacle)).toBe(false);
          expect(box.left >= 0 && box.right <= 400 && box.top >= 0 && box.bottom <= 300).toBe(true);
        });
      }),
    );
  });

  it('are there for all important points, however crowded', () => {
    fc.assert(
      fc.property(fc.array(point, { minLength: 1, maxLength: 30 }), fc.integer({ min: 0, max: 29 }), (points, seed) => {
        const marked = points.map((one, i) => ({
          ...one,
          x: 200 + (one.x % 20),
          y: 150,
          important: i % 3 === seed % 3,
        }));
        const { placed } = placeLabels(marked, OPTIONS);
        marked.forEach(({ important }, i) => {
          if (important) expect(placed.some(({ index }) => index === i)).toBe(true);
        });
      }),
    );
  });

  it('stand at the right of a lone point, and have a line to it where they are far off', () => {
    const { placed } = placeLabels([{ x: 100, y: 100, radius: 4, label: 'alone' }], OPTIONS);
    expect(placed).toMatchObject([{ align: 'left', x: 107, y: 100 }]);
    expect(placed[0]).not.toHaveProperty('leader');
    const crowd = Array.from({ length: 9 }, (_, i) => ({
      ...{ x: 200 + 8 * (i % 3), y: 150 + 8 * Math.floor(i / 3), radius: 4, label: `point ${i}` },
    }));
    const middle = placeLabels(crowd, OPTIONS).placed.find(({ index }) => index === 4);
    expect(middle?.leader).toBeDefined();
  });
});

it('names at the ends of lines keep their order and their distance', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 7 }), (places) => {
      const moved = apart(places, 15, [0, 300]);
      const sorted = places.map((_, i) => i).sort((a, b) => places[a]! - places[b]!);
      sorted.slice(1).forEach((index, i) => {
        expect(moved[index]! - moved[sorted[i]!]!).toBeGreaterThan(14.9);
      });
      expect(Math.min(...moved)).toBeGreaterThanOrEqual(-0.1);
      expect(Math.max(...moved)).toBeLessThanOrEqual(300.1);
    }),
  );
});
