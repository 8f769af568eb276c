import fc from 'fast-check';
import { expect, test } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { phaseAt, phaseSizes, phaseStarts, workFrom } from '../../src/recipe/curriculum.ts';
import { autoAugmentOf } from '../../src/recipe/recipe.ts';
import { resolveRecipe } from '../../src/recipe/resolve.ts';

const recipeOf = (flags: Record<string, unknown>) => resolveRecipe({ flags }).recipe;
const strengths = (flags: Record<string, unknown>): number[] => {
  const recipe = recipeOf({ auto_augment: 'autoaugment', ...flags });
  return Array.from({ length: recipe.epochs }, (_, epoch) => phaseAt(recipe, epoch).strength);
};

test("three phases begin where the paper's do, scaled to the run; a short run ends in the last phase", () => {
  const paper = strengths({ auto_augment_strength: '0.3,0.7,1' });
  expect([paper.indexOf(0.7), paper.indexOf(1)]).toEqual([38, 113]);
  expect(strengths({ auto_augment_strength: '0.3,0.7,1', epochs: 8 })).toEqual([0.3, 0.7, 0.7, 1, 1, 1, 1, 1]);
  for (const epochs of [1, 2, 3, 5]) expect(strengths({ auto_augment_strength: '0.3,0.7,1', epochs }).at(-1)).toBe(1);
});

test('other numbers of phases are equal parts, or begin where the recipe says', () => {
  expect(strengths({ auto_augment_strength: '0.5,1', epochs: 4 })).toEqual([0.5, 0.5, 1, 1]);
  expect(strengths({ auto_augment_strength: '0.5,1', phase_starts: '0.75', epochs: 4 })).toEqual([0.5, 0.5, 0.5, 1]);
  expect(strengths({ epochs: 3 })).toEqual([1, 1, 1]);
  expect(phaseStarts(recipeOf({}))).toEqual([]);
});

test("auto sizes are the paper's at 224 px, in proportion at others, and end at the recipe's", () => {
  const sizes = (flags: Record<string, unknown>) => phaseSizes(recipeOf({ progressive: 'auto', ...flags }));
  expect(sizes({})).toEqual([160, 192, 224]);
  expect(sizes({ size: 128 })).toEqual([96, 112, 128]);
  fc.assert(
    fc.property(fc.integer({ min: 32, max: 1024 }), (size) => {
      const [a, b, c] = sizes({ size }) as [number, number, number];
      expect(32 <= a && a <= b && b <= c && c === size).toBe(true);
    }),
  );
  expect(sizes({ progressive: 'none' })).toEqual([224]);
});

test('the paper preset has its curriculum, and the work left counts pixels', () => {
  const { recipe } = resolveRecipe({ preset: 'paper', flags: { variant: 's2' } });
  const phases = [0, 37, 38, 112, 113, 299, 300].map((epoch) => phaseAt(recipe, epoch));
  expect(phases.map(({ size }) => size)).toEqual([160, 160, 192, 192, 224, 224, 224]);
  expect(phases.map(({ strength }) => strength)).toEqual([0.3, 0.3, 0.7, 0.7, 1, 1, 1]);
  expect(autoAugmentOf(recipe)).toBe('autoaugment');
  expect(workFrom(recipe, 299)).toBe(1);
  expect(workFrom(recipe, 0)).toBeCloseTo(187 + 75 * (192 / 224) ** 2 + 38 * (160 / 224) ** 2);
  // The run's own recipe file gives the same recipe.
  expect(resolveRecipe({ file: { name: 'r', values: JSON.parse(JSON.stringify(recipe)) } }).recipe).toEqual(recipe);
});

test.each([
  [{ auto_augment: 'randaugment', phase_starts: '0.5' }, 'begins 2 phases, but the recipe has 1'],
  [{ auto_augment: 'randaugment', auto_augment_strength: '0.1,0.5,1', phase_starts: '0.5,0.25' }, 'must rise'],
  [{ auto_augment_strength: '0.1,0.5,1' }, '--auto-augment-strength would have no effect'],
  [{ progressive: '160,192' }, 'progressive (160,192) must end with size (224)'],
  [{ progressive: '256,224' }, 'must end with size'],
  [{ progressive: '160,224', auto_augment: 'autoaugment', auto_augment_strength: '0.3,0.7,1' }, 'has 2 phases'],
  [{ remode: 'rand' }, '--remode would have no effect'],
  [{ mixup_prob: 0.5 }, '--mixup-prob would have no effect'],
  [{ mixup: 0.2, mixup_switch_prob: 0.5 }, '--mixup-switch-prob would have no effect'],
  [{ auto_augment: 'autoaugment', rand_augment_m: 3 }, '--rand-augment-m would have no effect'],
])('refuses %o', (flags, message) => {
  expect(() => recipeOf(flags)).toThrow(UserError);
  expect(() => recipeOf(flags)).toThrow(message);
});

test("auto is the paper's choice for the variant", () => {
  const of = (variant: string) => autoAugmentOf(recipeOf({ variant, auto_augment: 'auto' }));
  expect(['s0', 's1', 's2', 's3', 's4'].map(of)).toEqual(['none', 'none', ...Array(3).fill('autoaugment')]);
});
