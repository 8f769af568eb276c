/** Image files by name or folder, for commands that need no labels. */
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import type { Dataset } from '../data/dataset.ts';
import { IMAGE_NAME } from '../images/sniff-node.ts';
import { labeledImages } from './labeled-images.ts';
import type { OpenedModel } from './open-model.ts';

/** Expands folders (recursively, sorted) among the given paths; throws a UserError for a path that is not there. */
export async function imageFiles(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    if (!existsSync(path)) throw new UserError(`There is no image or folder ${path}.`, 'Check the path.');
    if (!statSync(path).isDirectory()) files.push(path);
    else {
      const names = await readdir(path, { recursive: true });
      files.push(
        ...names
          .filter((name) => IMAGE_NAME.test(name))
          .sort()
          .map((name) => join(path, name)),
      );
    }
  }
  if (files.length === 0)
    throw new UserError(`There are no images in ${paths.join(', ')}.`, 'Name image files, or folders with some.');
  return files;
}

/** Images that a check runs on: those of a folder, or the run's own validation images. */
export async function imagesForCheck(opened: OpenedModel, folder: string | undefined): Promise<Dataset> {
  if (folder === undefined && opened.run) return (await labeledImages(opened)).dataset;
  if (folder === undefined)
    throw new UserError(
      'The check needs real images, and a file does not know any.',
      'Name a folder of them: --images DIR.',
      2,
    );
  const files = await imageFiles([folder]);
  return { classes: opened.model.classes, samples: files.map((path) => ({ path, label: 0 })) };
}
