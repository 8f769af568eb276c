import { expect, test } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { phaseAt, phaseStarts } from '../../src/recipe/curriculum.ts';
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

test.each([
  [{ auto_augment: 'randaugment', phase_starts: '0.5' }, 'begins 2 phases, but the recipe has 1'],
  [{ auto_augment: 'randaugment', auto_augment_strength: '0.1,0.5,1', phase_starts: '0.5,0.25' }, 'must rise'],
  [{ auto_augment_strength: '0.1,0.5,1' }, '--auto-augment-strength would have no effect'],
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
