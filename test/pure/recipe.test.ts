import { describe, expect, it } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { recipeMarkdown, recipeSchema } from '../../src/recipe/document.ts';
import { DEFAULT_RECIPE, FIELD_NAMES, FIELDS } from '../../src/recipe/fields.ts';
import { parseField } from '../../src/recipe/parse.ts';
import { PRESETS } from '../../src/recipe/presets.ts';
import { baseLearningRate, type FieldName } from '../../src/recipe/recipe.ts';
import { resolveRecipe } from '../../src/recipe/resolve.ts';

function errorOf(action: () => unknown): UserError {
  try {
    action();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  }
  throw new Error('nothing was thrown');
}

describe('recipe', () => {
  it('defaults to the paper, and every default is inside its own range', () => {
    expect(DEFAULT_RECIPE).toMatchObject({ epochs: 300, momentum: 0.9, label_smoothing: 0.1, ema_decay: 0.9995 });
    expect(DEFAULT_RECIPE).toMatchObject({ weight_decay: 1e-4, weight_decay_end: 1e-5, warmup_epochs: 0 });
    expect(baseLearningRate({ ...DEFAULT_RECIPE, batch_size: 256 })).toBeCloseTo(0.1);
    for (const name of FIELD_NAMES)
      expect(parseField(name, FIELDS[name].default, 'test')).toEqual(FIELDS[name].default);
    expect(Object.isFrozen(DEFAULT_RECIPE)).toBe(true);
  });

  it('takes flags over the file, the file over the preset, and remembers the origins', () => {
    const { recipe, origins, preset } = resolveRecipe({
      file: { name: 'r.yaml', values: { preset: 'quick', epochs: 7, lr: 'auto', depths: [1, 1, 1, 1] } },
      flags: { lr: '0.2', nesterov: false, widths: undefined },
    });
    expect(preset).toBe('quick');
    expect(recipe).toMatchObject({ epochs: 7, lr: 0.2, size: 96, nesterov: false, depths: [1, 1, 1, 1], widths: null });
    expect(origins).toMatchObject({ epochs: 'r.yaml', lr: '--lr', size: 'preset quick', momentum: 'default' });
    expect(resolveRecipe({ preset: 'paper', file: { name: 'r', values: { preset: 'quick' } } }).recipe).toEqual({
      ...DEFAULT_RECIPE,
      auto_augment: null,
      auto_augment_strength: [0.3, 0.7, 1],
      progressive: null,
    });
  });

  it('resolves every preset', () => {
    for (const preset of Object.keys(PRESETS)) expect(resolveRecipe({ preset }).preset).toBe(preset);
  });

  it.each([
    ['epochs', '0', 'epochs must be a whole number of at least 1, got "0" (from --epochs).'],
    ['epochs', '1.5', 'epochs must be a whole number of at least 1, got "1.5" (from --epochs).'],
    ['lr', 'fast', 'lr must be a number above 0, or auto, got "fast" (from --lr).'],
    ['hflip', '2', 'hflip must be a number of at least 0 and at most 1, got "2" (from --hflip).'],
    [
      'label_smoothing',
      '1',
      'label_smoothing must be a number of at least 0 and below 1, got "1" (from --label-smoothing).',
    ],
    ['depths', '1,2', 'depths must be four whole numbers of at least 1, or auto, got "1,2" (from --depths).'],
    ['engine', 'gpu', 'engine must be one of wasm, reference, got "gpu" (from --engine).'],
  ])('refuses %s = %s', (name, raw, message) => {
    expect(errorOf(() => resolveRecipe({ flags: { [name]: raw } })).message).toBe(message);
  });

  it('hints at close names and refuses what is not a recipe', () => {
    const typo = errorOf(() => resolveRecipe({ file: { name: 'r.yaml', values: { epoch: 3 } } }));
    expect(typo.message).toBe('r.yaml has a field "epoch" that no recipe has.');
    expect(typo.hint).toBe('Did you mean epochs?');
    expect(errorOf(() => resolveRecipe({ preset: 'quik' })).hint).toContain('Did you mean quick?');
    expect(errorOf(() => resolveRecipe({ file: { name: 'r.yaml', values: [1] } })).message).toContain(
      'is not a recipe',
    );
  });

  it('checks values against each other', () => {
    expect(errorOf(() => resolveRecipe({ flags: { lr: 0.1, min_lr: 0.2 } })).message).toContain('is above lr');
    expect(errorOf(() => resolveRecipe({ flags: { epochs: 3, warmup_epochs: 3 } })).message).toContain(
      'leaves nothing',
    );
  });

  it('gives each optimizer its own rate, and refuses the flags of the other one', () => {
    const auto = { batch_size: 64 };
    expect(baseLearningRate(resolveRecipe({ flags: auto }).recipe)).toBeCloseTo(0.025);
    expect(baseLearningRate(resolveRecipe({ flags: { ...auto, optimizer: 'adamw' } }).recipe)).toBeCloseTo(0.001);
    const preset = resolveRecipe({ preset: 'quick', flags: { optimizer: 'adamw' } });
    expect(preset.recipe).toMatchObject({ optimizer: 'adamw', lr: null, epochs: 10 });
    expect(preset.origins).toMatchObject({ lr: '--optimizer', epochs: 'preset quick' });
    expect(resolveRecipe({ preset: 'quick', flags: { optimizer: 'adamw', lr: 0.01 } }).recipe.lr).toBe(0.01);
    expect(resolveRecipe({ preset: 'quick', flags: { optimizer: 'sgd' } }).recipe.lr).toBe(0.05);
    // A run's own recipe file names every field.
    const file = { name: 'recipe.yaml', values: { ...preset.recipe } };
    expect(resolveRecipe({ file }).recipe).toEqual(preset.recipe);
    const momentum = errorOf(() => resolveRecipe({ flags: { optimizer: 'adamw', momentum: 0.8 } }));
    expect(momentum.message).toBe('--momentum would have no effect here.');
    expect(errorOf(() => resolveRecipe({ flags: { beta2: 0.99 } })).hint).toBe(
      'Leave it out, or add --optimizer adamw.',
    );
  });

  it('documents every field', async () => {
    await expect(recipeMarkdown()).toMatchFileSnapshot('../../docs/recipe.md');
    await expect(`${JSON.stringify(recipeSchema(), null, 2)}\n`).toMatchFileSnapshot('../../docs/recipe.schema.json');
    const { properties } = recipeSchema() as { properties: Record<FieldName, unknown> };
    for (const name of FIELD_NAMES) expect(properties[name]).toBeDefined();
  });
});
