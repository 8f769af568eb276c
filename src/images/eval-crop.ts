/** A decoded image as evaluation sees it: the last step of the one preprocessing before normalizing, in Node and in browsers. */
import { evalGeometry, type Preprocessing } from './preprocess.ts';
import { type PixelImage, resizeRegion } from './resize.ts';

/** Resizes and crops a decoded image as evaluation does: [size, size, channels] bytes. */
export function evalCrop(image: PixelImage, preprocessing: Pick<Preprocessing, 'size' | 'cropPct'>): Uint8Array {
  const { size } = preprocessing;
  const { resized, crop } = evalGeometry(image.width, image.height, preprocessing);
  const out = new Uint8Array(size * size * image.channels);
  const whole = { x: 0, y: 0, width: image.width, height: image.height };
  resizeRegion(image, whole, { out, offset: 0, width: size, height: size }, { resized, x: crop.x, y: crop.y });
  return out;
}
