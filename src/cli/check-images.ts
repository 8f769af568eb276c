/** Images that a check runs on: those named, else the run's own validation images, else generated ones. */
import pc from 'picocolors';
import { UserError } from '../core/errors.ts';
import type { Dataset } from '../data/dataset.ts';
import { naturalBatches } from '../images/natural.ts';
import type { Preprocessing } from '../images/preprocess.ts';
import { atMost, PROOF_IMAGES, type ProofImages } from './finish-run.ts';
import { imagesOf } from './image-files.ts';
import type { Io } from './io.ts';
import { labeledImages } from './labeled-images.ts';
import { openEvalLoader, pickSamples } from './open-data.ts';
import type { OpenedModel } from './open-model.ts';
import { loaderHooks } from './progress.ts';

/** Generated images that stand in for real ones. */
export const GENERATED_IMAGES = 64;
const BATCH = 16;

export interface CheckImages {
  /** The same batches each time, uint8 `[N, size, size, C]`. */
  batches(): AsyncIterable<ProofImages>;
  /** They are not real ones, which proofs must say. */
  readonly generated: boolean;
  close(): Promise<void>;
}

export interface CheckImagesOptions {
  /** What the user named. */
  readonly path?: string | undefined;
  /** How images are prepared, and of what size. */
  readonly preprocessing: Preprocessing;
  readonly json?: boolean | undefined;
}

/**
 * Opens the images of a check. Of more than a check uses, some are picked at random, since the first are often of one class.
 * Without any, images with the statistics of photographs are generated, and a warning says so. Throws a UserError for a named
 * path without images.
 */
export async function openCheckImages(
  io: Io,
  opened: OpenedModel,
  { path, preprocessing, json }: CheckImagesOptions,
): Promise<CheckImages> {
  const found = await realImages(opened, path);
  if ('why' in found) {
    io.err(
      `${pc.yellow('warning:')} ${found.why} The check runs on ${GENERATED_IMAGES} generated images with the statistics of photographs. Real ones say more: --images DATA.`,
    );
    const { size, mean } = preprocessing;
    const options = { images: GENERATED_IMAGES, batch: BATCH, size, channels: mean.length };
    return {
      async *batches() {
        yield* naturalBatches(options);
      },
      generated: true,
      close: async () => {},
    };
  }
  const batch = Math.min(BATCH, found.samples.length);
  const loader = await openEvalLoader(found, batch, preprocessing, loaderHooks(io, json || undefined));
  return { batches: () => atMost(loader.epoch(0), PROOF_IMAGES), generated: false, close: () => loader.close() };
}

async function realImages(opened: OpenedModel, path: string | undefined): Promise<Dataset | { readonly why: string }> {
  if (path !== undefined) {
    const samples = (await imagesOf([path])).map((place) => ({ ...place, label: 0 }));
    return pickSamples({ classes: opened.model.classes, samples }, PROOF_IMAGES, 0);
  }
  if (!opened.run) return { why: 'No images were named, and a file does not know any.' };
  try {
    return (await labeledImages(opened)).dataset;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { why: `No images were named, and those of the run can't be used: ${error.message}` };
  }
}
