/** Opens what a user calls a model: a run folder or a file. */
import { existsSync, statSync } from 'node:fs';
import { fetchFromHub, isHubName } from '../checkpoint/hub-node.ts';
import type { ModelFile, Origin } from '../checkpoint/model-file.ts';
import { loadAnyModel, loadCheckpoint } from '../checkpoint/store-node.ts';
import { closestMatch, UserError } from '../core/errors.ts';
import type { StateDict } from '../core/tensor.ts';
import { cacheFolder } from '../data/cache-folder-node.ts';
import { VARIANTS } from '../models/mobileone.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { resolveRecipe } from '../recipe/resolve.ts';
import { isRunFolder, type RunFiles, type RunMeta, runFiles } from './run-folder.ts';

export interface OpenedRun {
  readonly files: RunFiles;
  readonly meta: RunMeta;
  readonly recipe: Recipe;
}

export interface OpenedModel {
  readonly path: string;
  readonly model: ModelFile;
  /** What is known of the file beside its model; not of a training checkpoint. */
  readonly origin?: Origin;
  /** Where the model came from, if a run folder was named. */
  readonly run?: OpenedRun;
}

/** Reads where a run stands. Throws a UserError when the folder holds no run or no checkpoint. */
export async function openRun(folder: string): Promise<OpenedRun & { readonly state: StateDict }> {
  const files = runFiles(folder);
  if (!existsSync(folder)) throw new UserError(`There is no folder ${folder}.`, 'Check the path of the run.');
  if (!isRunFolder(folder))
    throw new UserError(`${folder} is not a run.`, 'A run folder is what mobileone train makes.');
  if (!existsSync(files.last))
    throw new UserError(
      `${folder} has no checkpoint yet.`,
      'It stopped before its first one, so nothing is lost: run the command that began it again.',
    );
  const { meta, state } = await loadCheckpoint(files.last);
  const { recipe } = resolveRecipe({ file: { name: files.last, values: meta.recipe } });
  return { files, meta: meta as RunMeta, recipe, state };
}

/**
 * Opens a run (its final model, else the best so far, else the last), a file of weights of any kind, or a model on the hub.
 * Throws a UserError for a backbone without a classifier, unless one will do.
 */
export async function openModel(
  target: string,
  { backbone = false }: { readonly backbone?: boolean } = {},
): Promise<OpenedModel> {
  const opened = await openAny(target);
  if (opened.model.config.num_classes === 0 && !backbone)
    throw new UserError(
      `${target} is a backbone without a classifier: it can't say what an image shows.`,
      `Give it one by training: mobileone train DIR --pretrained ${target}`,
    );
  return opened;
}

async function openAny(target: string): Promise<OpenedModel> {
  if (isHubName(target)) {
    const path = await fetchFromHub(target, { cacheDir: cacheFolder('hub') });
    return { path, ...(await loadAnyModel(path)) };
  }
  if (!existsSync(target)) {
    const variant = closestMatch(target, Object.keys(VARIANTS));
    throw new UserError(
      `There is no run or file ${target}.`,
      variant
        ? `A variant alone (${variant}) has no trained weights; name a run folder or a file of weights.`
        : 'Check the path.',
    );
  }
  if (!statSync(target).isDirectory()) return { path: target, ...(await loadAnyModel(target)) };
  const { files, meta, recipe } = await openRun(target);
  const path = [files.model, files.best, files.last].find((file) => existsSync(file))!;
  return { path, ...(await loadAnyModel(path)), run: { files, meta, recipe } };
}

const WEIGHTS_NAME = /\.(safetensors|pth\.tar|pth|pt|bin)$/i;

/** The path of a file of weights with another ending, for what is made from it. */
export function beside(path: string, ending: string): string {
  return path.replace(WEIGHTS_NAME, '') + ending;
}
