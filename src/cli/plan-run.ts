/** Decides what a training run is, before anything is written: a new one, or one that goes on. */
import { resolve } from 'node:path';
import { isHubName } from '../checkpoint/hub-node.ts';
import { adaptInputChannels } from '../checkpoint/input-channels.ts';
import type { ModelFile } from '../checkpoint/model-file.ts';
import { UserError } from '../core/errors.ts';
import type { StateDict } from '../core/tensor.ts';
import type { SplitDataset } from '../data/dataset.ts';
import { withoutExcluded } from '../data/exclude-node.ts';
import { readSplitData } from '../data/held-out-node.ts';
import { autoThreads } from '../engine/wasm/auto-threads-node.ts';
import { fuseGraph } from '../graph/passes/fuse.ts';
import { normalizationOf, type Preprocessing } from '../images/preprocess.ts';
import { type MobileOneConfig, mobileOne } from '../models/mobileone.ts';
import { modelConfig } from '../models/registry.ts';
import { flagOf } from '../recipe/parse.ts';
import type { FieldName, Recipe } from '../recipe/recipe.ts';
import { type ResolvedRecipe, resolveRecipe } from '../recipe/resolve.ts';
import type { Position } from '../train/loop.ts';
import { chooseRunFolder, latestRun } from './choose-run.ts';
import { openModel, openRun } from './open-model.ts';
import { readRecipeFile, recipeYaml } from './recipe-file.ts';
import { fingerprint, type RunFiles } from './run-folder.ts';
import { recipeFlags, type TrainFlags } from './train-flags.ts';

export interface RunPlan {
  readonly recipe: Recipe;
  /** The text of recipe.yaml for a new run. */
  readonly recipeText: string;
  /** Folder or file of the images. */
  readonly dir: string;
  /** What names the validation images, if they are named apart. */
  readonly val?: string;
  /** The list of images that are left out. */
  readonly exclude?: string;
  readonly data: SplitDataset;
  /** Fingerprint of the training samples. */
  readonly samples: string;
  readonly config: MobileOneConfig;
  readonly preprocessing: Preprocessing;
  readonly files: RunFiles;
  readonly commandLine: string;
  readonly warnings: readonly string[];
  readonly initial?: StateDict;
  /** Fused weights that become branches before training begins. */
  readonly expand?: StateDict;
  /** Where it stands, and how many training images it could read. */
  readonly resume?: { readonly state: StateDict; readonly position: Position; readonly images: number | undefined };
}

/** The recipe of a new run, and the model it begins with, if any. */
export async function resolveNewRecipe(
  flags: TrainFlags,
): Promise<{ readonly init: ModelFile | undefined; readonly resolved: ResolvedRecipe }> {
  const init =
    flags.pretrained === undefined ? undefined : (await openModel(flags.pretrained, { backbone: true })).model;
  const resolved = resolveRecipe({
    model: init && { name: `--pretrained ${flags.pretrained}`, values: architectureOf(init) },
    preset: flags.preset,
    file: flags.recipe === undefined ? undefined : await readRecipeFile(flags.recipe),
    flags: recipeFlags(flags),
  });
  modelConfig(resolved.recipe.variant);
  return { init, resolved };
}

/** Plans a new run from flags, preset and recipe file. */
export async function planNewRun(dir: string | undefined, flags: TrainFlags, commandLine: string): Promise<RunPlan> {
  if (dir === undefined)
    throw new UserError(
      'There is no folder of images.',
      'Name one: mobileone train DIR, with DIR/CLASS/image.jpg inside; or a list or archive of images.',
      2,
    );
  const { init, resolved } = await resolveNewRecipe(flags);
  const exclude = flags.exclude === undefined ? undefined : resolve(flags.exclude);
  const read = await readSplitData(dir, flags.val, {
    valFraction: resolved.recipe.val_fraction,
    seed: resolved.recipe.seed,
  });
  const data = await withoutExcluded(read, dir, exclude);
  const recipe = definite(resolved.recipe, data);
  const config: MobileOneConfig = {
    ...modelConfig(recipe.variant, given(recipe)),
    ...(init ? { rd_divisor: init.config.rd_divisor } : {}),
    num_classes: data.train.classes.length,
    in_chans: recipe.in_chans,
  };
  const begun = init && initialWeights(init, config, flags.pretrained!);
  const { mean, std } = normalizationOf(recipe, init?.preprocessing);
  return {
    recipe,
    recipeText: recipeYaml(resolved, commandLine),
    dir: resolve(dir),
    ...(flags.val === undefined ? {} : { val: resolve(flags.val) }),
    ...(exclude === undefined ? {} : { exclude }),
    data,
    samples: fingerprint(data.train.samples, dir),
    config,
    preprocessing: { size: recipe.size, cropPct: recipe.crop_pct, mean, std, interpolation: 'bilinear' },
    files: await chooseRunFolder(flags.out, dir, recipe.variant),
    commandLine,
    warnings: [...data.warnings, ...(begun?.warnings ?? [])],
    ...(begun && (init.form === 'fused' ? { expand: begun.state } : { initial: begun.state })),
  };
}

/** A recipe made definite: its loss as suits the images (those with several labels need a yes or no for each class), its teacher's path. */
function definite(recipe: Recipe, { train }: SplitDataset): Recipe {
  const several = train.multiLabel === true;
  const { loss, sampler, teacher } = recipe;
  const refuse = (what: string): never => {
    throw new UserError(`${what} needs one label an image, and these images may have several.`, 'Leave it out.');
  };
  if (several && loss === 'ce') refuse('loss ce');
  if (several && sampler === 'balanced') refuse('sampler balanced');
  if (several && recipe.class_weights === 'balanced') refuse('class_weights balanced');
  if (several && teacher !== null) refuse('A teacher');
  // A path as it is here, wherever the run is resumed.
  const path = teacher === null || isHubName(teacher) ? teacher : resolve(teacher);
  return { ...recipe, loss: loss ?? (several ? 'bce' : 'ce'), teacher: path };
}

/** Architecture fields that the recipe sets; the variant gives the others. */
function given({ num_conv_branches, depths, widths, se_blocks }: Recipe): Partial<MobileOneConfig> {
  const fields = { num_conv_branches, depths, widths, se_blocks };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null));
}

function architectureOf({ variant, config }: ModelFile): Partial<Recipe> {
  const { num_conv_branches, depths, widths, se_blocks, in_chans } = config;
  return variant ? { variant, in_chans } : { num_conv_branches, depths, widths, se_blocks, in_chans };
}

/** The weights of a model that fit the network to train; its classifier may be for other classes. */
function initialWeights(
  init: ModelFile,
  config: MobileOneConfig,
  name: string,
): { state: StateDict; warnings: string[] } {
  const { in_chans } = config;
  const own = adaptInputChannels(init.state, init.config.in_chans, in_chans, name);
  const graph = mobileOne(config);
  const { params } = init.form === 'fused' ? fuseGraph(graph) : graph;
  const fits = (key: string): boolean => String(own.get(key)?.shape) === String(params[key]?.shape);
  const misfits = [...new Set([...Object.keys(params), ...own.keys()])].filter((key) => !fits(key));
  const inBody = misfits.filter((key) => !key.startsWith('head.'));
  if (inBody.length > 0)
    throw new UserError(
      `${name} is another network than the recipe's: ${inBody.length} parameters differ, the first is ${inBody[0]}.`,
      `It is ${init.variant ? `a ${init.variant}` : 'no released variant'}; leave the architecture out to take it from the file.`,
    );
  const state = new Map([...own].filter(([key]) => params[key] && fits(key)));
  const from = init.config.num_classes;
  const warnings = [
    ...(misfits.length > 0
      ? [
          from === 0
            ? `${name} has no classifier; one for ${config.num_classes} classes begins anew.`
            : `The classifier of ${name} is for ${from} classes; it begins anew for ${config.num_classes}.`,
        ]
      : []),
    ...(own === init.state
      ? []
      : [`The stem of ${name}, for RGB, is made one for ${in_chans === 1 ? 'gray' : `${in_chans} channels`}.`]),
  ];
  return { state, warnings };
}

/** Fields that may change while a run goes on, since they do not change what it computes. */
const FREE_FIELDS: readonly FieldName[] = ['workers', 'checkpoint_every', 'threads'];

/** Plans the rest of a run that stopped. */
export async function planResumedRun(dir: string | undefined, flags: TrainFlags): Promise<RunPlan> {
  const target = typeof flags.resume === 'string' ? flags.resume : await latestRun();
  const { files, meta, state } = await openRun(target);
  const changed = recipeFlags(flags);
  const fixed = [
    ...Object.keys(changed)
      .filter((name) => !FREE_FIELDS.includes(name as FieldName))
      .map((name) => flagOf(name as FieldName)),
    ...(['out', 'pretrained', 'preset', 'recipe', 'exclude'] as const)
      .filter((name) => flags[name] !== undefined)
      .map((name) => `--${name}`),
  ];
  if (fixed.length > 0)
    throw new UserError(
      `${fixed.join(', ')} can't change while a run goes on.`,
      `Leave it out, or begin a new run with the weights so far: mobileone train DIR --pretrained ${target} ${fixed[0]} …`,
      2,
    );
  const file = { name: files.last, values: { ...meta.recipe, threads: meta.threads } };
  const { recipe } = resolveRecipe({ file, flags: changed });
  const folder = dir ?? meta.data;
  const val = flags.val ?? meta.val;
  const { exclude } = meta;
  const read = await readSplitData(folder, val, { valFraction: recipe.val_fraction, seed: recipe.seed });
  const data = await withoutExcluded(read, folder, exclude);
  if (String(data.train.classes) !== String(meta.classes))
    throw new UserError(
      `${folder} has other classes than the run began with: ${differences(meta.classes, data.train.classes)}.`,
      `Name the folder it began with: mobileone train DIR --resume ${target}`,
    );
  const samples = fingerprint(data.train.samples, folder);
  const warnings = [...data.warnings];
  if (samples !== meta.samples)
    warnings.push('The training images are not the ones the run began with; it goes on, but differently.');
  const threads = recipe.threads ?? (recipe.engine === 'wasm' ? autoThreads() : 1);
  if (threads !== meta.threads)
    warnings.push(`The run used ${meta.threads} threads; with ${threads} the last bits of the weights differ.`);
  const stepsPerEpoch = Math.floor(data.train.samples.length / recipe.batch_size);
  const { epoch, step, loss, top1, seconds, metrics, best } = meta;
  const position: Position = {
    epoch,
    step: Math.min(step, stepsPerEpoch),
    loss,
    top1,
    seconds,
    metrics,
    ...(best ? { best } : {}),
  };
  return {
    recipe,
    recipeText: '',
    dir: resolve(folder),
    ...(val === undefined ? {} : { val: resolve(val) }),
    ...(exclude === undefined ? {} : { exclude }),
    data,
    samples,
    config: meta.config,
    preprocessing: meta.preprocessing,
    files,
    commandLine: meta.commandLine,
    warnings,
    resume: { state, position, images: meta.images },
  };
}

/** What one list of classes has and the other lacks, in words. */
export function differences(before: readonly string[], now: readonly string[]): string {
  const list = (names: readonly string[]): string => names.slice(0, 5).join(', ') + (names.length > 5 ? ', …' : '');
  const gone = before.filter((name) => !now.includes(name));
  const added = now.filter((name) => !before.includes(name));
  const parts = [...(gone.length ? [`without ${list(gone)}`] : []), ...(added.length ? [`with ${list(added)}`] : [])];
  return parts.length ? parts.join(' and ') : 'in another order';
}
