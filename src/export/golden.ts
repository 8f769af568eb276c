/** Golden images: pictures with the logits they must give, kept with a model for whoever runs it elsewhere. */
import type { Tensor } from '../core/tensor.ts';
import { FORMAT_BOUNDS } from './format.ts';

export interface GoldenImage {
  /** uint8 `[1, H, W, C]`, of the exported size. */
  readonly image: Tensor;
  readonly logits: readonly number[];
}

/** What `golden.json` says of an image. */
export interface GoldenEntry {
  /** Path in the bundle, `golden/00.png`. */
  readonly file: string;
  /** The first class … */
  readonly label?: string;
  /** … or, of a model for several labels, those above 50 %. */
  readonly labels?: readonly string[];
  readonly logits: readonly number[];
}

/** `golden.json`. */
export interface Golden {
  /** `real`: images that the user named or the run was validated on. `generated`: drawn, since there were none. */
  readonly source: 'real' | 'generated';
  /** What computed the logits. */
  readonly engine: string;
  readonly images: readonly GoldenEntry[];
}

/** The answer that logits stand for: the first class, or the classes above 50 %. */
export function answerOf(
  logits: readonly number[],
  classes: readonly string[],
  multiLabel: boolean,
): Pick<GoldenEntry, 'label' | 'labels'> {
  if (multiLabel) return { labels: classes.filter((_, c) => logits[c]! > 0) };
  return { label: classes[logits.indexOf(Math.max(...logits))]! };
}

/** An answer that a file of half precision gives too must be clear by this share of the largest logit. */
const CLEAR = 4 * FORMAT_BOUNDS.fp16;

function isClear(logits: readonly number[], multiLabel: boolean): boolean {
  const largest = Math.max(...logits.map(Math.abs));
  if (multiLabel) return Math.min(...logits.map(Math.abs)) > CLEAR * largest;
  const [first = 0, second = Number.NEGATIVE_INFINITY] = logits.toSorted((a, b) => b - a);
  return first - second > CLEAR * largest;
}

/** Chooses golden images among those it is offered: of as many answers as possible, and such that are no near ties. */
export interface GoldenPicker {
  /** Takes the first `count` images of a batch `[N, H, W, C]` with their logits `[N, classes]`. */
  offer(images: Tensor, logits: Tensor, count: number): void;
  /** How many it was offered. */
  readonly images: number;
  golden(): GoldenImage[];
}

/** Makes a picker of at most `limit` images. */
export function goldenPicker(limit: number, multiLabel: boolean): GoldenPicker {
  // The best are clear ones of an answer that no other has; then clear ones; then what there is.
  const ranks: GoldenImage[][] = [[], [], []];
  const seen = new Set<string>();
  let offered = 0;
  return {
    offer({ shape, data }, { shape: [, classes], data: values }, count) {
      const [, h, w, c] = shape as [number, number, number, number];
      for (let n = 0; n < count; n++, offered++) {
        const logits = Array.from(values.subarray(n * classes!, (n + 1) * classes!));
        const answer = multiLabel
          ? String(logits.map((value) => value > 0))
          : String(logits.indexOf(Math.max(...logits)));
        const rank = !isClear(logits, multiLabel) ? 2 : seen.has(answer) ? 1 : 0;
        if (ranks[rank]!.length >= limit) continue;
        if (rank === 0) seen.add(answer);
        const image = { shape: [1, h, w, c], data: data.slice(n * h * w * c, (n + 1) * h * w * c) };
        ranks[rank]!.push({ image, logits });
      }
    },
    get images() {
      return offered;
    },
    golden: () => ranks.flat().slice(0, limit),
  };
}
