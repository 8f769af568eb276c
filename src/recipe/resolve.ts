/** Makes one recipe from defaults (← the model begun with) ← preset ← file ← flags, remembering where each value came from. */
import { UserError } from '../core/errors.ts';
import { checkPhases } from './curriculum.ts';
import { DEFAULT_RECIPE } from './fields.ts';
import { checkFieldName, flagOf, parseField } from './parse.ts';
import { findPreset } from './presets.ts';
import { autoAugmentOf, baseLearningRate, type FieldName, type Recipe } from './recipe.ts';

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
  if (preset !== undefined) {
    const { values, variants } = findPreset(preset);
    const variant = String(sources.flags?.variant ?? fileValues.variant ?? recipe.variant);
    apply({ ...values, ...variants?.[variant] }, () => `preset ${preset}`);
  }
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
  checkPhases(resolved);
  checkIdleFlags(resolved, sources.flags ?? {});
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

/** Fields that are read only where others say so: when, and what else would have to be chosen. */
const CONDITIONS: readonly {
  readonly fields: readonly FieldName[];
  readonly holds: (recipe: Recipe) => boolean;
  readonly needs: string;
}[] = [
  { fields: ['momentum', 'nesterov'], holds: ({ optimizer }) => optimizer === 'sgd', needs: '--optimizer sgd' },
  {
    fields: ['beta1', 'beta2', 'opt_eps'],
    holds: ({ optimizer }) => optimizer === 'adamw',
    needs: '--optimizer adamw',
  },
  {
    fields: ['distill', 'distill_alpha', 'distill_temperature', 'teacher_size', 'teacher_preprocess'],
    holds: ({ teacher }) => teacher !== null,
    needs: '--teacher MODEL',
  },
  {
    fields: ['rand_augment_n', 'rand_augment_m'],
    holds: (recipe) => autoAugmentOf(recipe) === 'randaugment',
    needs: '--auto-augment randaugment',
  },
  {
    fields: ['auto_augment_strength'],
    holds: (recipe) => autoAugmentOf(recipe) !== 'none',
    needs: '--auto-augment autoaugment or randaugment',
  },
  ...(['saturation', 'hue'] as const).map((name) => ({
    fields: [name],
    holds: (recipe: Recipe) => recipe.in_chans !== 1 || recipe[name] === 0,
    needs: '--in-chans 3 (gray has none)',
  })),
  { fields: ['remode', 'recount'], holds: ({ reprob }) => reprob > 0, needs: '--reprob 0.25' },
  { fields: ['mixup_prob'], holds: ({ mixup, cutmix }) => mixup > 0 || cutmix > 0, needs: '--mixup 0.2 or --cutmix 1' },
  {
    fields: ['mixup_switch_prob'],
    holds: ({ mixup, cutmix }) => mixup > 0 && cutmix > 0,
    needs: 'both --mixup and --cutmix',
  },
];

/** Refuses flags without effect. (Files may hold every field.) */
function checkIdleFlags(recipe: Recipe, flags: Readonly<Record<string, unknown>>): void {
  for (const { fields, holds, needs } of CONDITIONS) {
    const idle = fields.find((name) => flags[name] !== undefined);
    if (idle === undefined || holds(recipe)) continue;
    throw new UserError(`${flagOf(idle)} would have no effect here.`, `Leave it out, or add ${needs}.`);
  }
}

const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

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
  const { in_chans } = recipe;
  for (const name of ['mean', 'std'] as const) {
    const given = recipe[name];
    if (given !== null && given.length !== in_chans)
      throw new UserError(
        `${name} has ${many(given.length, 'number')}, but images have ${many(in_chans, 'channel')}.`,
        'Give one number a channel.',
      );
  }
  const { brightness, contrast, saturation, hue, teacher } = recipe;
  const alpha = in_chans === 2 || in_chans === 4;
  if (alpha && brightness + contrast + saturation + hue > 0)
    throw new UserError(
      `Color jitter is for gray and RGB images, and in_chans is ${in_chans}.`,
      'Switch it off: --brightness 0 --contrast 0 --saturation 0 --hue 0.',
    );
  if (alpha && autoAugmentOf(recipe) !== 'none')
    throw new UserError(
      `auto_augment is for gray and RGB images, and in_chans is ${in_chans}.`,
      'Switch it off: --auto-augment none.',
    );
  if (teacher !== null && in_chans !== 3)
    throw new UserError(`A teacher sees RGB images, and in_chans is ${in_chans}.`, 'Leave one out.');
  const { batch_size, micro_batch_size: micro } = recipe;
  if (micro !== null && batch_size % micro !== 0)
    throw new UserError(
      `micro_batch_size (${micro}) does not divide batch_size (${batch_size}).`,
      'Choose a divisor, so that all micro-batches have one size.',
    );
  const { loss } = recipe;
  if (loss === 'bce' && recipe.class_weights === 'balanced')
    throw new UserError('class_weights go with loss ce: bce asks for every class of every image.', 'Leave one out.');
  if (loss === 'bce' && recipe.teacher !== null)
    throw new UserError('A teacher goes with loss ce, whose probabilities over classes it gives.', 'Leave one out.');
}
