/** `mobileone train --explain`: every value of the recipe, what `auto` comes to, and where the value is from. */
import type { ModelFile } from '../checkpoint/model-file.ts';
import { normalizationOf } from '../images/preprocess.ts';
import { modelConfig } from '../models/registry.ts';
import { phaseSizes, phaseStarts } from '../recipe/curriculum.ts';
import { valueText } from '../recipe/document.ts';
import { FIELD_NAMES, FIELDS } from '../recipe/fields.ts';
import { autoAugmentOf, baseLearningRate, type FieldName, type Recipe } from '../recipe/recipe.ts';
import type { ResolvedRecipe } from '../recipe/resolve.ts';
import { defaultWorkers } from './open-data.ts';
import { openEngine } from './open-engine.ts';

export interface Explained {
  readonly field: FieldName;
  readonly value: unknown;
  /** What the value comes to in this run, where it is left to `auto`. */
  readonly resolved?: unknown;
  readonly origin: string;
}

/** What each field that was left to `auto` comes to on this machine. */
async function automatic(recipe: Recipe, init: ModelFile | undefined): Promise<Partial<Record<FieldName, unknown>>> {
  const { num_conv_branches, depths, widths, se_blocks } = modelConfig(recipe.variant);
  const { threads } = (await openEngine({ name: recipe.engine })).capabilities();
  const lr = baseLearningRate(recipe);
  const [auto_augment, phase_starts] = [autoAugmentOf(recipe), phaseStarts(recipe)];
  const { mean, std } = normalizationOf(recipe, init?.preprocessing);
  const data = {
    micro_batch_size: recipe.batch_size,
    workers: defaultWorkers(),
    auto_augment,
    phase_starts,
    progressive: phaseSizes(recipe),
  };
  return { mean, std, num_conv_branches, depths, widths, se_blocks, lr, threads, ...data };
}

/** Lists every field of a recipe with its origin; `init` is the model that training begins with. */
export async function explainRecipe(
  { recipe, origins }: ResolvedRecipe,
  init: ModelFile | undefined,
): Promise<Explained[]> {
  const auto = await automatic(recipe, init);
  return FIELD_NAMES.map((field) => {
    const value = recipe[field];
    return {
      field,
      value,
      ...(value === null ? { resolved: auto[field] ?? FIELDS[field].auto } : {}),
      origin: origins[field],
    };
  });
}

/** The list as aligned lines of text. */
export function explainedText(fields: readonly Explained[]): string[] {
  const shown = fields.map(({ field, value, resolved, origin }) => [
    field,
    value === null ? `auto: ${valueText(resolved)}` : valueText(value),
    origin,
  ]);
  const width = (column: number): number => Math.max(...shown.map((cells) => cells[column]!.length));
  const [first, second] = [width(0), width(1)];
  return shown.map(([field, value, origin]) => `${field!.padEnd(first)}  ${value!.padEnd(second)}  ${origin}`);
}
