/** Reads every image of a data set once, small, and examines the set. One that can't be read is told, never thrown. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { UserError } from '../../core/errors.ts';
import { loadSharp } from '../../images/decode-node.ts';
import { sniffImage } from '../../images/sniff.ts';
import { type Sample, type SplitDataset, sampleName } from '../dataset.ts';
import { decodeSample, readEncoded } from '../decode-sample-node.ts';
import { namesInside } from '../exclude-node.ts';
import { inParallel } from '../parallel.ts';
import type { Levels } from './align.ts';
import {
  type Candidate,
  candidates,
  type Diagnosis,
  diagnose,
  type ImageFacts,
  type Pair,
  type SplitName,
} from './examine.ts';
import { colorfulness, type Fingerprint, fingerprintOf } from './fingerprint.ts';
import { detailOf, sameDetail } from './likeness.ts';

/** Short side at which images are read: enough for both looks, and of large JPEGs an eighth is decoded. */
const READ_SIDE = 64;
/** Images read at a time. */
const AT_ONCE = 2 * availableParallelism();
/** Colorfulness up to which an image counts as gray. */
const GRAY = 4;
/** What the names of files promise, as `sniffImage` calls it. */
const EXTENSIONS: Readonly<Record<string, RegExp>> = {
  JPEG: /\.(jpe?g|jfif)$/i,
  PNG: /\.png$/i,
  GIF: /\.gif$/i,
  WebP: /\.webp$/i,
  TIFF: /\.tiff?$/i,
  'AVIF or HEIF': /\.(avif|hei[fc])$/i,
  BMP: /\.bmp$/i,
};

export interface InspectOptions {
  /** The data folder; paths are told relative to it. */
  readonly folder: string;
  /** Side of the network's input. */
  readonly size: number;
  readonly onProgress?: ((done: number, total: number, what: string) => void) | undefined;
}

export interface Inspected extends Diagnosis {
  /** The samples, in the order of `images`. */
  readonly samples: readonly Sample[];
}

interface Seen {
  readonly facts: ImageFacts;
  readonly print?: Fingerprint;
  /** Of the file's bytes. */
  readonly fileHash?: string;
  /** Of the small picture and the size. */
  readonly smallHash?: string;
}

const hashOf = (...parts: readonly (Uint8Array | string)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('base64');
};

/** Examines a data set. */
export async function inspectData(data: SplitDataset, options: InspectOptions): Promise<Inspected> {
  await loadSharp();
  const { folder, size, onProgress } = options;
  const nameOf = await namesInside(folder);
  const splits: readonly [SplitName, readonly Sample[]][] = [
    ['train', data.train.samples],
    ['val', data.val.samples],
    ['test', data.test?.samples ?? []],
  ];
  const samples = splits.flatMap(([, some]) => some);
  const splitOf = splits.flatMap(([split, some]) => some.map(() => split));
  const seen = await inParallel(
    samples,
    AT_ONCE,
    async (sample, i) => await look(sample, splitOf[i]!, nameOf(sample)),
    (done) => onProgress?.(done, samples.length, 'reading images'),
  );
  const prints = seen.map(({ print }) => print);
  const alike = candidates(prints, (done, total) => onProgress?.(done, total, 'comparing images'));
  const near = await nearPairs(samples, alike);
  const exact = await exactPairs(samples, seen, near);
  const images = seen.map(({ facts }) => facts);
  return { samples, ...diagnose(data.train.classes, images, prints, { exact, near }, size) };
}

/** Reads one image: its header, its bytes' hash and its small picture. */
async function look(sample: Sample, split: SplitName, path: string): Promise<Seen> {
  const common = { path, split, labels: sample.labels?.toSorted((a, b) => a - b) ?? [sample.label] };
  try {
    const small = await decodeSample(sample, { shortSide: READ_SIDE });
    const print = fingerprintOf(small);
    const file = await lookAtFile(sample);
    const { width, height, ...notes } = file.facts;
    const gray = colorfulness(print) <= GRAY ? { gray: true as const } : {};
    return {
      facts: { ...common, width, height, ...notes, ...gray },
      print,
      ...(file.hash === undefined ? {} : { fileHash: file.hash }),
      smallHash: hashOf(`${width} ${height} `, small.data),
    };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { facts: { ...common, width: 0, height: 0, broken: error.message } };
  }
}

/** What an image file says of itself: its hash, its header and tags; plain pixels have only a size. */
async function lookAtFile(sample: Sample): Promise<{
  readonly hash?: string;
  readonly facts: Pick<ImageFacts, 'width' | 'height' | 'misnamed' | 'alpha' | 'rotated'>;
}> {
  const { path, part } = sample;
  if (part?.kind === 'pixels') return { facts: { width: part.width, height: part.height } };
  const name = sampleName(sample);
  const bytes = part ? await readEncoded(path, part, name) : await readFile(path);
  const sharp = await loadSharp();
  const { width, height, hasAlpha, orientation = 1 } = await sharp(bytes, { limitInputPixels: false }).metadata();
  const format = sniffImage(bytes.subarray(0, 512));
  const misnamed = format && /\.\w+$/.test(name) && !EXTENSIONS[format]?.test(name) ? { misnamed: format } : {};
  const turned = orientation >= 5;
  return {
    hash: hashOf(bytes),
    facts: {
      width: turned ? height : width,
      height: turned ? width : height,
      ...misnamed,
      ...(hasAlpha ? { alpha: true as const } : {}),
      ...(orientation > 1 ? { rotated: true as const } : {}),
    },
  };
}

/** The candidates that pass the second look, for which their images are read once more. */
async function nearPairs(samples: readonly Sample[], alike: readonly Candidate[]): Promise<Pair[]> {
  const wanted = [...new Set(alike.flatMap(({ pair }) => pair))];
  const read = async (i: number): Promise<Levels> =>
    detailOf(await decodeSample(samples[i]!, { shortSide: READ_SIDE }));
  const details = await inParallel(wanted, AT_ONCE, read);
  const detail = new Map(wanted.map((i, n) => [i, details[n]!]));
  return alike.flatMap(({ pair, warp }) =>
    sameDetail(detail.get(pair[0])!, detail.get(pair[1])!, warp) ? [pair] : [],
  );
}

/** Pairs of images with equal pixels: of equal files, and of near duplicates of one size whose pixels are compared whole. */
async function exactPairs(samples: readonly Sample[], seen: readonly Seen[], near: readonly Pair[]): Promise<Pair[]> {
  const sameFile = pairsOfEqual(seen.map(({ fileHash }) => fileHash));
  const known = new Set(sameFile.map(String));
  const sameSmall = pairsOfEqual(seen.map(({ smallHash }) => smallHash));
  const sized = near.filter(([a, b]) => {
    const [one, other] = [seen[a]!.facts, seen[b]!.facts];
    return one.width === other.width && one.height === other.height;
  });
  const candidates = [...sameSmall, ...sized].filter((pair) => !known.has(String(pair)));
  const wanted = [...new Set(candidates.flat())];
  const hashes = await inParallel(wanted, AT_ONCE, async (i) => hashOf((await decodeSample(samples[i]!)).data));
  const pixels = new Map(wanted.map((i, n) => [i, hashes[n]!]));
  return [...sameFile, ...candidates.filter(([a, b]) => pixels.get(a) === pixels.get(b))];
}

/** Each index with the first one that has the same key; undefined has none. */
function pairsOfEqual(keys: readonly (string | undefined)[]): Pair[] {
  const first = new Map<string, number>();
  return keys.flatMap((key, i): Pair[] => {
    if (key === undefined) return [];
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, i);
    return earlier === undefined ? [] : [[earlier, i]];
  });
}
