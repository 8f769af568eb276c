/**
 * Mixup (arXiv 1710.09412) and cutmix (arXiv 1905.04899) as timm does them: one share for a batch, and image n is mixed
 * with image N − 1 − n. Drawn and applied apart: what a batch's target needs is known without its pixels.
 */
import type { Random } from '../../core/random.ts';
import type { Box } from '../preprocess.ts';

export interface MixOptions {
  /** α of the Beta(α, α) that mixup's share is drawn from; 0: no mixup. */
  readonly mixup: number;
  /** The same for cutmix. */
  readonly cutmix: number;
  /** Probability that a batch is mixed. */
  readonly prob: number;
  /** Probability of cutmix where both may be used. */
  readonly switchProb: number;
}

/** How a batch is mixed. */
export interface Mix {
  /** λ, the exact share of the own image in each image. */
  readonly share: number;
  /** Position in the batch of the image that has the rest. */
  readonly partner: Int32Array;
  /** Cutmix: what of the picture is the partner's. */
  readonly box?: Box;
}

/** Shares are multiples of this, so that pixels (in integers) and targets are mixed alike. */
const UNIT = 2 ** -16;

/** Draws how to mix a batch of pictures of size × size; undefined: not at all. */
export function drawMix(options: MixOptions, batch: number, size: number, rng: Random): Mix | undefined {
  const { mixup, cutmix, prob, switchProb } = options;
  if ((mixup === 0 && cutmix === 0) || rng.uniform() >= prob) return undefined;
  const cut = mixup === 0 || (cutmix > 0 && rng.uniform() < switchProb);
  const drawn = beta(cut ? cutmix : mixup, rng);
  const partner = Int32Array.from({ length: batch }, (_, n) => batch - 1 - n);
  const box = cut ? cutBox(drawn, size, rng) : undefined;
  const share = box ? 1 - (box.width * box.height) / (size * size) : Math.round(drawn / UNIT) * UNIT;
  return share === 1 ? undefined : { share, partner, ...(box ? { box } : {}) };
}

/** A box of 1 − λ of the area around a random point, cut off at the borders. */
function cutBox(share: number, size: number, rng: Random): Box {
  const half = Math.trunc(size * Math.sqrt(1 - share)) >> 1;
  const range = (center: number): [number, number] => [Math.max(0, center - half), Math.min(size, center + half)];
  const [top, bottom] = range(rng.int(size));
  const [left, right] = range(rng.int(size));
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** Beta(α, α), by the logarithms of two gamma variates: for a small α these are too small for themselves. */
function beta(alpha: number, rng: Random): number {
  const [own, other] = [logGamma(alpha, rng), logGamma(alpha, rng)];
  return 1 / (1 + Math.exp(other - own));
}

/** The logarithm of a Gamma(α, 1) variate (Marsaglia and Tsang, ACM TOMS 26, 2000). */
function logGamma(alpha: number, rng: Random): number {
  if (alpha < 1) return logGamma(alpha + 1, rng) + Math.log(1 - rng.uniform()) / alpha;
  const d = alpha - 1 / 3;
  for (;;) {
    const x = rng.normal();
    const v = (1 + x / Math.sqrt(9 * d)) ** 3;
    if (v > 0 && Math.log(1 - rng.uniform()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return Math.log(d * v);
  }
}

/** Mixes the images of a batch, uint8 [N, size, size, C], in place, pair by pair. */
export function applyMix(images: Uint8Array, size: number, { share, partner, box }: Mix): void {
  const bytes = images.length / partner.length;
  const channels = bytes / (size * size);
  for (let n = 0; n < partner.length; n++) {
    const other = partner[n]!;
    if (other <= n) continue;
    const [a, b] = [n, other].map((i) => images.subarray(i * bytes, (i + 1) * bytes)) as [Uint8Array, Uint8Array];
    if (!box) blend(a, b, share / UNIT);
    else {
      for (let y = box.y; y < box.y + box.height; y++) {
        const at = (y * size + box.x) * channels;
        const kept = a.slice(at, at + box.width * channels);
        a.set(b.subarray(at, at + kept.length), at);
        b.set(kept, at);
      }
    }
  }
}

/** Makes of both pictures what `own` of 65,536 parts of it and the rest of the other are. */
function blend(a: Uint8Array, b: Uint8Array, own: number): void {
  const rest = 65536 - own;
  for (let i = 0; i < a.length; i++) {
    const p = a[i]!;
    const q = b[i]!;
    a[i] = (own * p + rest * q + 32768) >> 16;
    b[i] = (own * q + rest * p + 32768) >> 16;
  }
}
