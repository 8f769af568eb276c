/** Files → 8-bit pixels in Node, by sharp (libvips decodes on its own threads). */
import type { Sharp, SharpOptions } from 'sharp';
import { UserError } from '../core/errors.ts';
import { convertChannels, hasAlpha } from './channels.ts';
import { evalCrop } from './eval-crop.ts';
import type { Preprocessing } from './preprocess.ts';
import type { PixelImage } from './resize.ts';
import { describeBytes, sniffImage } from './sniff.ts';
import { readHead } from './sniff-node.ts';

export interface DecodeOptions {
  /** Larger images are refused from their header. */
  readonly maxPixels?: number;
  /** Shrinks so that the short side is this long, if it is longer (faster than decoding whole; for training only). */
  readonly shortSide?: number;
  /** 1 gray, 2 gray and alpha, 3 RGB (default), 4 RGBA. */
  readonly channels?: number;
  /** What the image is called in messages; default: its path. */
  readonly name?: string;
}

const MAX_PIXELS = 100_000_000;

type SharpFactory = (input: string | Uint8Array, options?: SharpOptions) => Sharp;
let loading: Promise<SharpFactory> | undefined;

/** Loads sharp on first use; a UserError if it is not installed. */
export async function loadSharp(): Promise<SharpFactory> {
  loading ??= import('sharp').then(
    ({ default: sharp }) => {
      sharp.cache(false);
      sharp.concurrency(1);
      return sharp as SharpFactory;
    },
    () => {
      loading = undefined;
      throw new UserError(
        'Reading images needs the package sharp, which is not installed.',
        'Install it: npm install sharp',
      );
    },
  );
  return loading;
}

/** How messages name the image. */
function nameOf(input: string | Uint8Array, { name }: DecodeOptions): string {
  if (name !== undefined) return `"${name}"`;
  return typeof input === 'string' ? `"${input}"` : 'The image';
}

async function refuse(input: string | Uint8Array, name: string, error: Error): Promise<never> {
  const bytes = await readHead(input).catch((cause: NodeJS.ErrnoException) => {
    const missing = cause.code === 'ENOENT';
    throw new UserError(
      `${name} ${missing ? 'does not exist' : `cannot be read (${cause.code})`}.`,
      'Check the path and the permissions.',
    );
  });
  const format = sniffImage(bytes);
  if (!format) {
    throw new UserError(
      `${name} is not an image: it is ${describeBytes(bytes)}.`,
      'Use JPEG, PNG, WebP, GIF, TIFF or AVIF files, or remove it.',
    );
  }
  const reason = /premature|truncat|end of|corrupt|invalid|error/i.test(error.message)
    ? 'is damaged or cut off'
    : 'cannot be decoded';
  throw new UserError(
    `${name} is a ${format} that ${reason} (${error.message.split('\n')[0]}).`,
    'Replace the file or remove it.',
  );
}

/**
 * Decodes to 8-bit sRGB, or to the channels asked for: EXIF rotation applied, gray and CMYK converted, transparency over
 * white (unless alpha is wanted), first frame of several.
 */
export async function decodeImage(input: string | Uint8Array, options: DecodeOptions = {}): Promise<PixelImage> {
  const sharp = await loadSharp();
  const { maxPixels = MAX_PIXELS, shortSide, channels = 3 } = options;
  const open = (): Sharp => sharp(input, { failOn: 'truncated', limitInputPixels: false });
  try {
    const { width, height, format } = await open().metadata();
    if (format === 'svg') throw new Error('drawings have no pixels'); // told apart by `refuse`
    if (width * height > maxPixels) {
      throw new UserError(
        `${nameOf(input, options)} has ${width} × ${height} pixels, more than the limit of ${Math.round(maxPixels / 1e6)} million.`,
        'Scale it down, or remove it.',
      );
    }
    const upright = open().autoOrient();
    const opaque = hasAlpha(channels) ? upright.ensureAlpha() : upright.flatten({ background: '#ffffff' });
    let pipeline = opaque.toColourspace('srgb');
    if (shortSide && Math.min(width, height) > shortSide) {
      pipeline = pipeline.resize({ width: shortSide, height: shortSide, fit: 'outside', kernel: 'lanczos3' });
    }
    const { data, info } = await pipeline.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true });
    return { width: info.width, height: info.height, channels, data: convertChannels(data, info.channels, channels) };
  } catch (error) {
    if (error instanceof UserError) throw error;
    return refuse(input, nameOf(input, options), error as Error);
  }
}

/** Reads an image as evaluation sees it, with as many channels as `mean` has numbers (default RGB): [size, size, channels] bytes. */
export async function evalImage(
  input: string | Uint8Array,
  preprocessing: Pick<Preprocessing, 'size' | 'cropPct'> & Partial<Pick<Preprocessing, 'mean'>>,
  options: DecodeOptions = {},
): Promise<Uint8Array> {
  const channels = preprocessing.mean?.length ?? 3;
  return evalCrop(await decodeImage(input, { channels, ...options }), preprocessing);
}
