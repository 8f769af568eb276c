/**
 * The emoji task: the same hundred things drawn by seven hands. Six hands are for training, the seventh is never seen.
 * Drawings come from the npm packages `@iconify-json/<hand>` (SVG), so that any machine with npm has them.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type SplitDataset, UserError } from '../../src/node.ts';

/** Whose drawings are trained on. */
export const TRAINING_HANDS: readonly string[] = ['noto', 'noto-v1', 'twemoji', 'openmoji', 'emojione', 'emojione-v1'];
/** Whose drawings are only tested on. */
export const UNSEEN_HAND = 'fluent-emoji-flat';
/** How many things there are to tell apart. */
export const CLASSES = 100;
/** Pictures are white squares of this side in pixels, with a margin around the drawing that crops and shifts may use. */
export const SIDE = 72;
export const MARGIN = 6;

/** A package of drawings: SVG bodies by name, and the size of their canvas. */
export interface Hand {
  readonly name: string;
  readonly icons: Readonly<
    Record<string, { readonly body: string; readonly width?: number; readonly height?: number }>
  >;
  readonly width: number;
  readonly height: number;
}

/** Reads a hand's drawings from its npm package. */
export async function readHand(name: string): Promise<Hand> {
  try {
    const path = createRequire(import.meta.url).resolve(`@iconify-json/${name}/icons.json`);
    const { icons, width = 16, height = 16 } = JSON.parse(await readFile(path, 'utf8')) as Omit<Hand, 'name'>;
    return { name, icons, width, height };
  } catch {
    throw new UserError(
      `The drawings of the package @iconify-json/${name} are missing.`,
      'They are development dependencies: run npm ci (or npm install) in the repository.',
    );
  }
}

/**
 * The names of the task, by a rule that leaves no choice: of the names that every hand draws itself (879), in
 * alphabetical order, those at positions ⌊i · n / 100⌋.
 */
export function chooseNames(hands: readonly Hand[], count: number = CLASSES): string[] {
  const [first, ...others] = hands;
  const common = Object.keys(first!.icons).filter((name) => others.every(({ icons }) => Object.hasOwn(icons, name)));
  common.sort((a, b) => (a < b ? -1 : 1));
  return Array.from({ length: count }, (_, i) => common[Math.floor((i * common.length) / count)]!);
}

/** One drawing as an SVG document. */
export function svgOf(hand: Hand, name: string): string {
  const { body, width = hand.width, height = hand.height } = hand.icons[name]!;
  return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">${body}</svg>`;
}

/** Draws one emoji on a white square, as PNG. */
export async function rasterize(hand: Hand, name: string): Promise<Buffer> {
  const { default: sharp } = await import('sharp').catch(() => {
    throw new UserError(
      'Drawing the emoji needs the package sharp, which is missing.',
      'Install it: npm install sharp',
    );
  });
  const inner = SIDE - 2 * MARGIN;
  const { width = hand.width } = hand.icons[name]!;
  return await sharp(Buffer.from(svgOf(hand, name)), { density: (72 * inner) / width })
    .resize(inner, inner, { fit: 'contain', background: 'white' })
    .flatten({ background: 'white' })
    .extend({ top: MARGIN, bottom: MARGIN, left: MARGIN, right: MARGIN, background: 'white' })
    .png({ compressionLevel: 1 })
    .toBuffer();
}

/**
 * Draws the task into `folder/{train,val}/NAME/HAND.png`, all pictures at once on sharp's threads, and returns it as a
 * data set: training hands in `train`, the unseen hand in `val`.
 */
export async function drawTask(folder: string): Promise<SplitDataset> {
  const hands = await Promise.all([...TRAINING_HANDS, UNSEEN_HAND].map(readHand));
  const names = chooseNames(hands);
  const pathOf = (hand: string, name: string): string =>
    join(folder, hand === UNSEEN_HAND ? 'val' : 'train', name, `${hand}.png`);
  await Promise.all(
    names.flatMap((name) => ['train', 'val'].map((part) => mkdir(join(folder, part, name), { recursive: true }))),
  );
  await Promise.all(
    hands.flatMap((hand) => names.map(async (name) => writeFile(pathOf(hand.name, name), await rasterize(hand, name)))),
  );
  const samplesOf = (which: readonly string[]): { path: string; label: number }[] =>
    names.flatMap((name, label) => which.map((hand) => ({ path: pathOf(hand, name), label })));
  return {
    train: { classes: names, samples: samplesOf(TRAINING_HANDS) },
    val: { classes: names, samples: samplesOf([UNSEEN_HAND]) },
    warnings: [],
  };
}
