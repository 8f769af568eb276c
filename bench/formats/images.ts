/** Images for the table of formats: real ones from a folder, or generated ones. */

import { basename } from 'node:path';
import { readAs } from '../../src/batches/cache-node.ts';
import { imagesOf } from '../../src/cli/image-files.ts';
import { pickSamples } from '../../src/cli/open-data.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { naturalBatches } from '../../src/images/natural.ts';
import { DEFAULT_PREPROCESSING } from '../../src/images/preprocess.ts';

/** Full batches of images of a side, the same each time. */
export type Images = (size: number) => Promise<readonly Tensor[]>;

export interface Source {
  readonly images: Images;
  /** For people: what they are and how many. */
  readonly description: string;
}

/** Images a run. */
const BATCH = 8;

/** `count` images (rounded up to whole batches) of a folder, list or archive; without one, generated ones. */
export async function openImages(path: string | undefined, count: number): Promise<Source> {
  const batches = Math.ceil(count / BATCH);
  if (path === undefined) {
    const made = (size: number): Tensor[] =>
      [...naturalBatches({ images: batches * BATCH, batch: BATCH, size, channels: 3 })].map(({ images }) => images);
    return {
      images: cached(async (size) => made(size)),
      description: `${batches * BATCH} generated images with the statistics of photographs`,
    };
  }
  const all = (await imagesOf([path])).map((place) => ({ ...place, label: 0 }));
  const { samples } = pickSamples({ classes: [], samples: all }, batches * BATCH, 0);
  const whole = Math.floor(samples.length / BATCH);
  const read = async (size: number): Promise<Tensor[]> => {
    const result: Tensor[] = [];
    for (let b = 0; b < whole; b++) {
      const data = new Uint8Array(BATCH * size * size * 3);
      const chosen = samples.slice(b * BATCH, (b + 1) * BATCH);
      const rows = await Promise.all(
        chosen.map((place) => readAs(place, { ...DEFAULT_PREPROCESSING, size, channels: 3 })),
      );
      rows.forEach((row, n) => {
        data.set(row.data, n * size * size * 3);
      });
      result.push({ shape: [BATCH, size, size, 3], data });
    }
    return result;
  };
  return { images: cached(read), description: `${whole * BATCH} images of \`${basename(path)}\`` };
}

/** Keeps what was made last for a size. */
function cached(make: Images): Images {
  const made = new Map<number, Promise<readonly Tensor[]>>();
  return (size) => {
    const found = made.get(size) ?? make(size);
    made.set(size, found);
    return found;
  };
}
