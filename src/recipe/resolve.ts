/** Makes one recipe from defaults (← the model begun with) ← preset ← file ← flags, remembering where each value came from. */
import { UserError } from '../core/errors.ts';
import { DEFAULT_RECIPE } from './fields.ts';
import { checkFieldName, flagOf, parseField } from './parse.ts';
import { findPreset } from './presets.ts';
import { baseLearningRate, type FieldName, type OptimizerName, type Recipe } from './recipe.ts';

export interface RecipeSources {
  /** The architecture of a model that training begins with; it replaces defaults. */
  readonly model?: { readonly name: string; readonly values: Partial<Recipe> } | undefined;
  readonly preset?: string | undefined;
  /** A parsed recipe file; it may name its `preset`. */
  readonly file?: { readonly name: string; readonly values: unknown } | undefined;
  /** Values from flags, by field name. */
  readonly flags?: Readonly<Record<string, unknown>> | undefined;
}

export interface ResolvedRecipe {
  readonly recipe: Recipe;
  /** Where each value came from: `default`, `preset quick`, `recipe.yaml`, `--lr`. */
  readonly origins: Readonly<Record<FieldName, string>>;
  readonly preset: string | undefined;
}

/** Resolves a recipe. Throws a UserError on unknown names, values out of range and values that exclude each other. */
export function resolveRecipe(sources: RecipeSources): ResolvedRecipe {
  const recipe: Record<string, unknown> = { ...DEFAULT_RECIPE };
  const origins = Object.fromEntries(Object.keys(recipe).map((name) => [name, 'default']));
  const apply = (values: Readonly<Record<string, unknown>>, originOf: (name: FieldName) => string): void => {
    for (const [key, raw] of Object.entries(values)) {
      if (raw === undefined) continue;
      const name = checkFieldName(key, originOf(key as FieldName));
      recipe[name] = parseField(name, raw, originOf(name));
      origins[name] = originOf(name);
    }
  };

  const { preset: filePreset, ...fileValues } = fileContents(sources.file);
  const preset = sources.preset ?? (filePreset === undefined ? undefined : String(filePreset));
  if (sources.model) apply(sources.model.values as Record<string, unknown>, () => sources.model!.name);
  if (preset !== undefined) apply(findPreset(preset).values as Record<string, unknown>, () => `preset ${preset}`);
  apply(fileValues, () => sources.file!.name);
  apply(sources.flags ?? {}, flagOf);

  // A preset's rate is one for its own optimizer; another begins with what is usual for it.
  if (preset !== undefined && origins.lr === `preset ${preset}`) {
    const { optimizer = DEFAULT_RECIPE.optimizer } = findPreset(preset).values;
    if (recipe.optimizer !== optimizer) {
      recipe.lr = null;
      origins.lr = origins.optimizer!;
    }
  }

  const resolved = Object.freeze(recipe) as unknown as Recipe;
  checkTogether(resolved);
  checkOptimizerFlags(resolved.optimizer, sources.flags ?? {});
  return { recipe: resolved, origins: Object.freeze(origins) as Record<FieldName, string>, preset };
}

function fileContents(file: RecipeSources['file']): Record<string, unknown> {
  if (!file || file.values === null || file.values === undefined) return {};
  if (typeof file.values !== 'object' || Array.isArray(file.values))
    throw new UserError(
      `${file.name} is not a recipe: it must hold lines like "epochs: 60".`,
      'docs/recipe.md lists every field.',
    );
  return file.values as Record<string, unknown>;
}

/** Fields that only one optimizer reads. */
const OWN_FIELDS: Readonly<Record<OptimizerName, readonly FieldName[]>> = {
  sgd: ['momentum', 'nesterov'],
  adamw: ['beta1', 'beta2', 'opt_eps'],
};

/** Refuses flags without effect. (Files may hold every field.) */
function checkOptimizerFlags(optimizer: OptimizerName, flags: Readonly<Record<string, unknown>>): void {
  for (const [owner, fields] of Object.entries(OWN_FIELDS)) {
    const idle = fields.find((name) => flags[name] !== undefined);
    if (owner === optimizer || idle === undefined) continue;
    throw new UserError(
      `${flagOf(idle)} belongs to the optimizer ${owner}, but ${optimizer} is to be used.`,
      `Leave it out, or add --optimizer ${owner}.`,
    );
  }
}

/** Checks values against each other. */
function checkTogether(recipe: Recipe): void {
  const lr = baseLearningRate(recipe);
  if (recipe.min_lr > lr)
    throw new UserError(`min_lr (${recipe.min_lr}) is above lr (${lr}).`, 'The cosine goes down from lr to min_lr.');
  if (recipe.warmup_epochs > 0 && recipe.warmup_epochs >= recipe.epochs)
    throw new UserError(
      `warmup_epochs (${recipe.warmup_epochs}) leaves nothing of ${recipe.epochs} epochs.`,
      'Make warm-up shorter than the run.',
    );
}
