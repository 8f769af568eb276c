/**
 * Images with the statistics of photographs, for checks where there are none: an amplitude spectrum of about 1/f, channels that
 * are correlated as in nature, and things before one another with edges between them. Pure; the same seed gives the same bytes.
 *
 * Textures are sums of smooth noise, an octave each of almost the same variance: an amplitude of 1/f (Field 1987). Things are a
 * dead-leaves model, ellipses whose radii follow r⁻³ (Lee, Mumford and Huang 2001). Colors vary along the axes that Ruderman,
 * Cronin and Chiao (1998) found in nature: gray most, then blue against yellow, then red against green.
 */
import { type Random, random } from '../core/random.ts';
import type { Tensor } from '../core/tensor.ts';
import { convertChannels } from './channels.ts';

/** Deviations along the three axes, relative to gray. */
const AXES = [1, 0.28, 0.1] as const;

/** Gray, blue-yellow and red-green as red, green and blue. */
const toRgb = ([gray, blue, red]: readonly [number, number, number]): [number, number, number] => [
  gray - blue / 2 + red,
  gray - blue / 2 - red,
  gray + blue,
];

/** Of each octave, the deviation relative to the octave below: a little steeper than 1/f, as optics make it. */
const DECAY = 0.9;

/** A plane of noise that repeats after `side` (a power of two), made octave by octave; deviation about 1. */
function texture(rng: Random, side: number): Float32Array {
  let plane = Float32Array.of(rng.normal());
  let variance = 1;
  let deviation = 1;
  for (let cells = 2; cells <= side; cells *= 2) {
    deviation *= DECAY;
    variance = variance * BETWEEN + deviation ** 2;
    plane = doubled(plane, cells / 2).map((value) => value + deviation * rng.normal());
  }
  const scale = 1 / Math.sqrt(variance);
  return plane.map((value) => value * scale);
}

/** Of the variance of a plane, what halfway interpolation along both axes keeps, on average. */
const BETWEEN = (3 / 4) ** 2;

/** A plane of twice the side: its values, and the means of neighbors between them. */
function doubled(plane: Float32Array, side: number): Float32Array {
  const out = new Float32Array(4 * side * side);
  const at = (y: number, x: number): number => plane[(y & (side - 1)) * side + (x & (side - 1))]!;
  for (let y = 0; y < 2 * side; y++) {
    const [top, bottom] = [y >> 1, (y + 1) >> 1];
    for (let x = 0; x < 2 * side; x++) {
      const [left, right] = [x >> 1, (x + 1) >> 1];
      out[y * 2 * side + x] = (at(top, left) + at(top, right) + at(bottom, left) + at(bottom, right)) / 4;
    }
  }
  return out;
}

/** One of the things in an image: where, of what color, how strongly textured. */
interface Leaf {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  /** Half the height to half the width, and the turn in radians. */
  readonly aspect: number;
  readonly turn: number;
  /** Along the three axes. */
  readonly color: readonly [number, number, number];
  readonly contrast: number;
  /** Which part of the texture it shows. */
  readonly shift: number;
}

function drawLeaf(rng: Random, size: number): Leaf {
  // Radii between a thirtieth of the side and all of it with density r⁻³.
  const [small, large] = [size / 30, size];
  const radius = 1 / Math.sqrt(small ** -2 - rng.uniform() * (small ** -2 - large ** -2));
  return {
    x: rng.uniform() * size,
    y: rng.uniform() * size,
    radius,
    aspect: 0.4 + 0.6 * rng.uniform(),
    turn: rng.uniform() * Math.PI,
    color: AXES.map((deviation) => 0.17 * deviation * rng.normal()) as [number, number, number],
    contrast: 0.09 * Math.exp(0.6 * rng.normal()),
    shift: rng.int(1 << 20),
  };
}

/** Which leaf is seen at every pixel: later ones lie on earlier ones, the first fills the image. */
function paint(leaves: readonly Leaf[], size: number): Uint16Array {
  const seen = new Uint16Array(size * size);
  leaves.forEach(({ x, y, radius, aspect, turn }, index) => {
    if (index === 0) return;
    const [cos, sin] = [Math.cos(turn), Math.sin(turn)];
    for (let row = Math.max(0, Math.ceil(y - radius)); row <= Math.min(size - 1, y + radius); row++) {
      for (let column = Math.max(0, Math.ceil(x - radius)); column <= Math.min(size - 1, x + radius); column++) {
        const [dx, dy] = [column - x, row - y];
        const [along, across] = [dx * cos + dy * sin, (dy * cos - dx * sin) / aspect];
        if (along * along + across * across <= radius * radius) seen[row * size + column] = index;
      }
    }
  });
  return seen;
}

/** One square image, `[size, size, channels]` bytes; channels as in `convertChannels`. */
export function naturalImage(size: number, channels: number, seed: number): Uint8Array {
  const rng = random(seed);
  const side = 2 ** Math.ceil(Math.log2(size));
  const textures = AXES.map(() => texture(rng, side));
  const leaves = Array.from({ length: 30 + rng.int(150) }, () => drawLeaf(rng, size));
  const seen = paint(leaves, size);
  const [exposure, contrast] = [0.45 + 0.05 * rng.normal(), Math.exp(0.25 * rng.normal())];
  const tint = [0, 0.02 * rng.normal(), 0.01 * rng.normal()];

  const planes = [0, 1, 2].map(() => new Float32Array(size * size));
  for (let i = 0; i < seen.length; i++) {
    const { color, contrast: strength, shift } = leaves[seen[i]!]!;
    const at = ((Math.floor(i / size) + (shift >> 10)) & (side - 1)) * side + (((i % size) + shift) & (side - 1));
    const axes = AXES.map(
      (deviation, axis) => contrast * (color[axis]! + strength * deviation * textures[axis]![at]!) + tint[axis]!,
    ) as [number, number, number];
    toRgb(axes).forEach((value, c) => {
      planes[c]![i] = exposure + value;
    });
  }
  const bytes = new Uint8Array(size * size * 3);
  planes.forEach((plane, c) => {
    softened(plane, size).forEach((value, i) => {
      bytes[3 * i + c] = Math.max(0, Math.min(255, Math.round(255 * value)));
    });
  });
  return convertChannels(bytes, 3, channels);
}

/** What a lens does to edges: each value with its neighbors, 1 : 8 : 1 along both axes. */
function softened(plane: Float32Array, size: number): Float32Array {
  const along = (from: Float32Array, step: number, position: (i: number) => number): Float32Array =>
    from.map((value, i) => {
      const before = position(i) > 0 ? from[i - step]! : value;
      const after = position(i) < size - 1 ? from[i + step]! : value;
      return (before + 8 * value + after) / 10;
    });
  return along(
    along(plane, 1, (i) => i % size),
    size,
    (i) => Math.floor(i / size),
  );
}

export interface NaturalOptions {
  readonly images: number;
  /** Images a batch; the last is filled up with more of them. */
  readonly batch: number;
  readonly size: number;
  readonly channels: number;
  readonly seed?: number;
}

/** Batches of such images, uint8 `[N, size, size, channels]`; the first `count` are those asked for. */
export function* naturalBatches(options: NaturalOptions): Generator<{ images: Tensor; count: number }> {
  const { images, batch, size, channels, seed = 0 } = options;
  for (let from = 0; from < images; from += batch) {
    const data = new Uint8Array(batch * size * size * channels);
    for (let n = 0; n < batch; n++) data.set(naturalImage(size, channels, seed + from + n), n * size * size * channels);
    yield { images: { shape: [batch, size, size, channels], data }, count: Math.min(batch, images - from) };
  }
}
