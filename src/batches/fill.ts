/** Fills a batch: the same code in worker threads and in process. */
import { random } from '../core/random.ts';
import { type Augment, augment } from '../images/augment/augment.ts';
import type { RgbImage } from '../images/resize.ts';

/** Gives a decoded image by its index in the data set. */
export type ReadImage = (index: number) => RgbImage | Promise<RgbImage>;

export interface FillOptions {
  readonly size: number;
  readonly seed: number;
  /** Undefined for evaluation, whose images come ready. */
  readonly augment: Augment | undefined;
}

/** Writes the images of the given samples, one after the other, into `out` [N, size, size, 3]. */
export async function fillBatch(
  read: ReadImage,
  options: FillOptions,
  epoch: number,
  indices: Int32Array,
  out: Uint8Array,
): Promise<void> {
  const { size, seed } = options;
  const bytes = size * size * 3;
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n]!;
    const image = read(index);
    const source = image instanceof Promise ? await image : image;
    if (options.augment) augment(source, options.augment, size, random(seed, epoch, index), out, n * bytes);
    else out.set(source.data, n * bytes);
  }
}
