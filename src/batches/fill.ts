/** Fills a batch: the same code in worker threads and in process. */
import { random } from '../core/random.ts';
import { type Augment, augment } from '../images/augment/augment.ts';
import { applyMix, type Mix } from '../images/augment/mix.ts';
import type { PixelImage } from '../images/resize.ts';

/** Gives a decoded image by its index in the data set. */
export type ReadImage = (index: number) => PixelImage | Promise<PixelImage>;

export interface FillOptions {
  readonly seed: number;
  /** Undefined for evaluation, whose images come ready. */
  readonly augment: Augment | undefined;
}

/** One batch to fill. */
export interface FillRequest {
  readonly epoch: number;
  /** Pixels of the square images. */
  readonly size: number;
  /** The samples. */
  readonly indices: Int32Array;
  /** Strength of automatic augmentation in this epoch, 0 to 1. */
  readonly strength: number;
  /** How the images are mixed at last. */
  readonly mix?: Mix | undefined;
  /** Bytes of [N, size, size, channels]. */
  readonly out: Uint8Array;
}

/** Writes the images of the given samples, one after the other, into the batch. */
export async function fillBatch(read: ReadImage, options: FillOptions, batch: FillRequest): Promise<void> {
  const { seed } = options;
  const { epoch, size, indices, strength, out } = batch;
  for (let n = 0; n < indices.length; n++) {
    const index = indices[n]!;
    const image = read(index);
    const source = image instanceof Promise ? await image : image;
    const bytes = size * size * source.channels;
    if (options.augment) augment(source, options.augment, size, random(seed, epoch, index), out, n * bytes, strength);
    else out.set(source.data, n * bytes);
  }
  if (batch.mix) applyMix(out, size, batch.mix);
}
