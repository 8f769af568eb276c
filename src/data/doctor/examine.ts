/** What is wrong with a data set, from the facts and fingerprints of its images. Pure: reading them is `inspect-node.ts`. */
import type { Warp } from './align.ts';
import { contrast, type Fingerprint } from './fingerprint.ts';
import { firstLook } from './likeness.ts';
import { forNeighbors } from './neighbors.ts';

export type SplitName = 'train' | 'val' | 'test';

/** What is known of an image without its pixels. */
export interface ImageFacts {
  /** The sample's name, relative to the data folder. */
  readonly path: string;
  readonly split: SplitName;
  /** One, or as many as the image has. */
  readonly labels: readonly number[];
  /** As it is seen (rotation tag applied); 0 × 0 for a broken one. */
  readonly width: number;
  readonly height: number;
  /** Why it can't be read. */
  readonly broken?: string;
  /** What the file is, where its name says something else. */
  readonly misnamed?: string;
  readonly alpha?: true;
  /** No color in it. */
  readonly gray?: true;
  /** Rotated by a tag (EXIF orientation), which some programs do not heed. */
  readonly rotated?: true;
}

/** Copies differ in at most so many of the hash's 64 bits: crops of 5 % in 15, other changes in far fewer. */
const NEAR_BITS = 15;
/** Candidates compared for an image; sets of look-alikes would have all. */
const MOST_CANDIDATES = 50;
/** Gray levels of contrast under which a picture is empty, and like any other empty one. */
const EMPTY = 2;

/** A pair of images, by their indices. */
export type Pair = readonly [number, number];

/** Two images that may be copies, and how one is laid over the other. */
export interface Candidate {
  readonly pair: Pair;
  readonly warp: Warp;
}

/** Pairs that pass the first look, of fingerprints (undefined: broken); empty pictures have no likeness. */
export function candidates(
  prints: readonly (Fingerprint | undefined)[],
  onProgress?: (done: number, total: number) => void,
): Candidate[] {
  const kept = prints.flatMap((print, i) => (print && !isEmpty(print) ? [i] : []));
  const hashes = kept.map((i) => prints[i]!.hash);
  const found: Candidate[] = [];
  forNeighbors(hashes, NEAR_BITS, MOST_CANDIDATES, (at, neighbors) => {
    for (const { index } of neighbors) {
      const pair: Pair = [kept[index]!, kept[at]!];
      const warp = firstLook(prints[pair[0]]!, prints[pair[1]]!);
      if (warp) found.push({ pair, warp });
    }
    onProgress?.(at + 1, hashes.length);
  });
  return found;
}

/** Whether a picture is of one tone all over. */
export const isEmpty = (print: Fingerprint): boolean => contrast(print) < EMPTY;

/** Groups of images joined by pairs, each in ascending order, of two images or more. */
export function groupsOf(count: number, pairs: readonly Pair[]): number[][] {
  const parent = Int32Array.from({ length: count }, (_, i) => i);
  const root = (i: number): number => {
    let at = i;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  };
  for (const [a, b] of pairs) {
    const [ra, rb] = [root(a), root(b)];
    parent[Math.max(ra, rb)] = Math.min(ra, rb);
  }
  const groups = new Map<number, number[]>();
  for (const i of new Set(pairs.flat().toSorted((a, b) => a - b))) {
    const group = groups.get(root(i)) ?? [];
    group.push(i);
    groups.set(root(i), group);
  }
  return [...groups.values()];
}

/** Pictures of the same shot. */
export interface Group {
  /** All copies are equal to the pixel. */
  readonly exact: boolean;
  /** Indices of the images. */
  readonly members: readonly number[];
  /** For each member, which set of equal ones it is of: the index of the first. */
  readonly same: readonly number[];
  /** Copies lie in more than one of train, val and test. */
  readonly leak: boolean;
  /** Copies have different labels. */
  readonly conflict: boolean;
}

/** Groups from pairs of exact and of near duplicates; those that falsify results come first. */
export function duplicateGroups(images: readonly ImageFacts[], exact: readonly Pair[], near: readonly Pair[]): Group[] {
  const first = new Map<number, number>();
  for (const set of groupsOf(images.length, exact)) for (const i of set) first.set(i, set[0]!);
  const groups = groupsOf(images.length, [...exact, ...near]).map((members): Group => {
    const same = members.map((i) => first.get(i) ?? i);
    const several = (of: (image: ImageFacts) => unknown): boolean =>
      new Set(members.map((i) => of(images[i]!))).size > 1;
    return {
      exact: new Set(same).size === 1,
      members,
      same,
      leak: several(({ split }) => split),
      conflict: several(({ labels }) => String(labels)),
    };
  });
  const rank = ({ conflict, leak, exact: equal }: Group): number =>
    (conflict ? 4 : 0) + (leak ? 2 : 0) + (equal ? 1 : 0);
  return groups.toSorted((a, b) => rank(b) - rank(a) || b.members.length - a.members.length);
}

export type FixReason = 'broken' | 'label-conflict' | 'leak' | 'duplicate' | 'near-duplicate';

export interface FixRow {
  readonly path: string;
  readonly reason: FixReason;
  readonly action: 'drop' | 'keep';
  /** The copy that is kept instead, or that it is like. */
  readonly of: string;
}

/** Splits whose copy stays: test images are the last to change, since results are compared on them. */
const PRECEDENCE: readonly SplitName[] = ['train', 'val', 'test'];

/**
 * What to leave out so that results mean what they say: broken images, copies in training of what is evaluated on, all
 * copies with contradicting labels, and all equal copies but one. Near duplicates within a split stay (a burst of shots is
 * data too), and are listed as kept.
 */
export function fixRows(images: readonly ImageFacts[], groups: readonly Group[]): FixRow[] {
  const rows: FixRow[] = images
    .filter(({ broken }) => broken !== undefined)
    .map(({ path }) => ({ path, reason: 'broken', action: 'drop', of: '' }));
  for (const group of groups) {
    const { members, same, conflict } = group;
    const strength = (i: number): number => PRECEDENCE.indexOf(images[i]!.split);
    const area = (i: number): number => images[i]!.width * images[i]!.height;
    const order = members.toSorted((a, b) => strength(b) - strength(a) || area(b) - area(a) || a - b);
    const best = order[0]!;
    const setOf = (i: number): number => same[members.indexOf(i)]!;
    const kept = new Map<number, number>();
    const row = (i: number, reason: FixReason, action: 'drop' | 'keep', of: number): FixRow => ({
      path: images[i]!.path,
      reason,
      action,
      of: of === i ? '' : images[of]!.path,
    });
    for (const i of order) {
      const equal = kept.get(setOf(i));
      const weaker = strength(i) < strength(best);
      if (conflict) rows.push(row(i, 'label-conflict', 'drop', best === i ? order[1]! : best));
      else if (weaker) rows.push(row(i, 'leak', 'drop', best));
      else if (equal !== undefined) rows.push(row(i, 'duplicate', 'drop', equal));
      else {
        kept.set(setOf(i), i);
        const alone = order.filter((other) => setOf(other) !== setOf(i)).length === 0;
        rows.push(row(i, group.leak ? 'leak' : alone ? 'duplicate' : 'near-duplicate', 'keep', best));
      }
    }
  }
  return rows;
}

export interface ClassCount {
  readonly name: string;
  readonly train: number;
  readonly val: number;
  readonly test: number;
}

export interface Range {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface Diagnosis {
  readonly images: readonly ImageFacts[];
  readonly classes: readonly string[];
  readonly groups: readonly Group[];
  readonly fix: readonly FixRow[];
  /** Readable images of each class and split. */
  readonly balance: readonly ClassCount[];
  /** Training images of the largest class over those of the smallest. */
  readonly imbalance: number;
  /** Classes with fewer training images than `FEW`. */
  readonly few: readonly string[];
  readonly sizes: { readonly width: Range; readonly height: Range; readonly aspect: Range };
  /** Indices of images whose short side is less than the network's input, of empty ones, and of very long ones. */
  readonly tiny: readonly number[];
  readonly empty: readonly number[];
  readonly long: readonly number[];
  /** Findings that make results wrong, or images unreadable; of 0 the data set is clean. */
  readonly problems: number;
}

/** Training images under which a class is hardly learned. */
export const FEW = 20;
/** Aspect ratio beyond which evaluation's center crop loses most of a picture. */
export const LONG = 3;

function rangeOf(values: readonly number[]): Range {
  const sorted = values.toSorted((a, b) => a - b);
  return { min: sorted[0] ?? 0, median: sorted[sorted.length >> 1] ?? 0, max: sorted.at(-1) ?? 0 };
}

/** Puts the findings together; `size` is the side of the network's input. */
export function diagnose(
  classes: readonly string[],
  images: readonly ImageFacts[],
  prints: readonly (Fingerprint | undefined)[],
  pairs: { readonly exact: readonly Pair[]; readonly near: readonly Pair[] },
  size: number,
): Diagnosis {
  const groups = duplicateGroups(images, pairs.exact, pairs.near);
  const readable = images.filter(({ broken }) => broken === undefined);
  const balance = classes.map((name) => ({ name, train: 0, val: 0, test: 0 }));
  for (const { labels, split } of readable) for (const label of labels) balance[label]![split]++;
  const trained = balance.map(({ train }) => train);
  const aspect = ({ width, height }: ImageFacts): number => Math.max(width, height) / Math.min(width, height);
  const where = (test: (image: ImageFacts, i: number) => boolean): number[] =>
    images.flatMap((image, i) => (image.broken === undefined && test(image, i) ? [i] : []));
  const broken = images.length - readable.length;
  return {
    images,
    classes,
    groups,
    fix: fixRows(images, groups),
    balance,
    imbalance: Math.max(...trained) / Math.max(1, Math.min(...trained)),
    few: balance.filter(({ train }) => train < FEW).map(({ name }) => name),
    sizes: {
      width: rangeOf(readable.map(({ width }) => width)),
      height: rangeOf(readable.map(({ height }) => height)),
      aspect: rangeOf(readable.map(({ width, height }) => width / height)),
    },
    tiny: where(({ width, height }) => Math.min(width, height) < size),
    empty: where((_, i) => isEmpty(prints[i]!)),
    long: where((image) => aspect(image) > LONG),
    problems:
      broken +
      images.filter(({ misnamed }) => misnamed !== undefined).length +
      groups.filter(({ exact, same, leak, conflict }) => leak || conflict || exact || new Set(same).size < same.length)
        .length,
  };
}
