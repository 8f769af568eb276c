/** Images by file, folder or data set, for commands that need no labels. */
import { existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../core/errors.ts';
import { type EncodedPart, type Place, placeOf } from '../data/dataset.ts';
import { isPacked, readData } from '../data/readers/data-node.ts';
import { LIST_NAME, readList } from '../data/readers/list-file-node.ts';
import { resolveListed } from '../data/readers/list-node.ts';
import { isVisible } from '../data/readers/tree.ts';
import { indexZip } from '../data/readers/zip-index-node.ts';
import { IMAGE_NAME } from '../images/sniff-node.ts';

/**
 * Every image among paths: image files, folders (whatever is below, in order), and lists, archives and packed files as
 * `train` takes them; a list needs no labels here. Throws a UserError for a path that is not there.
 */
export async function imagesOf(paths: readonly string[]): Promise<Place[]> {
  const images: Place[] = [];
  for (const path of paths) {
    if (!existsSync(path)) throw new UserError(`There is no image or folder ${path}.`, 'Check the path.');
    if (await isPacked(path)) images.push(...(await packedImages(path)));
    else if (!statSync(path).isDirectory()) images.push({ path });
    else {
      const names = await readdir(path, { recursive: true });
      images.push(
        ...names
          .filter((name) => IMAGE_NAME.test(name))
          .sort()
          .map((name) => ({ path: join(path, name) })),
      );
    }
  }
  if (images.length === 0)
    throw new UserError(`There are no images in ${paths.join(', ')}.`, 'Name image files, or folders with some.');
  return images;
}

async function packedImages(path: string): Promise<Place[]> {
  if (LIST_NAME.test(path) && statSync(path).isFile()) {
    const { labeled, rows } = await readList(path);
    if (!labeled) return rows.map(({ image }) => ({ path: resolveListed(path, image) }));
  }
  if (/\.zip$/i.test(path)) {
    const parts = await indexZip(path);
    const isImage = ({ name }: EncodedPart): boolean => IMAGE_NAME.test(name) && name.split('/').every(isVisible);
    return parts.filter(isImage).map((part) => ({ path, part }));
  }
  const { train, val, test } = await readData(path, { valFraction: 0, seed: 0, partial: true });
  return [train, val, ...(test ? [test] : [])].flatMap(({ samples }) => samples.map(placeOf));
}
