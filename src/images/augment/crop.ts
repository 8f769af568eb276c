import type { Random } from '../../core/random.ts';
import type { Box } from '../preprocess.ts';

/** Draws the box of a random resized crop (torchvision: ten tries, then the largest center crop within the ratios). */
export function randomCrop(
  width: number,
  height: number,
  scale: readonly [number, number],
  ratio: readonly [number, number],
  rng: Random,
): Box {
  const between = (low: number, high: number): number => low + (high - low) * rng.uniform();
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * between(scale[0], scale[1]);
    const aspect = Math.exp(between(Math.log(ratio[0]), Math.log(ratio[1])));
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w > 0 && h > 0 && w <= width && h <= height) {
      return { x: rng.int(width - w + 1), y: rng.int(height - h + 1), width: w, height: h };
    }
  }
  const aspect = width / height;
  const w = aspect > ratio[1] ? Math.round(height * ratio[1]) : width;
  const h = aspect < ratio[0] ? Math.round(width / ratio[0]) : height;
  return { x: (width - w) >> 1, y: (height - h) >> 1, width: w, height: h };
}
