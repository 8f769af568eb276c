/** Mean and standard deviation of each channel over all pixels of images, as evaluation sees them. */
import { availableParallelism } from 'node:os';
import { UserError } from '../core/errors.ts';
import { loadSharp } from '../images/decode-node.ts';
import { evalCrop } from '../images/eval-crop.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import type { Sample } from './dataset.ts';
import { decodeSample } from './decode-sample-node.ts';
import { inParallel } from './parallel.ts';

export interface ChannelStats {
  /** Per channel, of values in 0 … 1; std is that of the population. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly images: number;
  /** Pixels of each channel. */
  readonly pixels: number;
  /** Why images were left out. */
  readonly skipped: readonly string[];
}

const LEVELS = 256;

/**
 * Measures the images in the geometry of evaluation. Levels are counted, not added up, so that the result is exact and the
 * same in any order.
 */
export async function channelStats(
  samples: readonly Sample[],
  geometry: Pick<Preprocessing, 'size' | 'cropPct'>,
  channels: number,
  onProgress?: (done: number, total: number) => void,
): Promise<ChannelStats> {
  await loadSharp();
  const counts = new Float64Array(channels * LEVELS);
  const skipped: string[] = [];
  const add = async (sample: Sample): Promise<void> => {
    try {
      const pixels = evalCrop(await decodeSample(sample, { channels }), geometry);
      for (let i = 0; i < pixels.length; i += channels) {
        for (let c = 0; c < channels; c++) counts[c * LEVELS + pixels[i + c]!]!++;
      }
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      skipped.push(error.message);
    }
  };
  await inParallel(samples, 2 * availableParallelism(), add, (done) => onProgress?.(done, samples.length));
  const images = samples.length - skipped.length;
  if (images === 0) throw new UserError('None of the training images can be read.', skipped[0] ?? '');
  const moments = Array.from({ length: channels }, (_, c) => momentsOf(counts.subarray(c * LEVELS, (c + 1) * LEVELS)));
  return {
    mean: moments.map(({ mean }) => mean),
    std: moments.map(({ std }) => std),
    images,
    pixels: images * geometry.size ** 2,
    skipped,
  };
}

/** Mean and population standard deviation of levels 0 … 255 as values in 0 … 1, from how often each occurs. */
export function momentsOf(counts: Float64Array): { mean: number; std: number } {
  const pixels = counts.reduce((sum, count) => sum + count, 0);
  const mean = counts.reduce((sum, count, level) => sum + count * level, 0) / pixels;
  const variance = counts.reduce((sum, count, level) => sum + count * (level - mean) ** 2, 0) / pixels;
  return { mean: mean / 255, std: Math.sqrt(variance) / 255 };
}
