/** 8-bit pixels → PNG in Node, by sharp. */
import type { Tensor } from '../core/tensor.ts';
import { loadSharp } from './decode-node.ts';

/** Encodes a uint8 image `[1, H, W, C]` (gray or RGB, or either with alpha), losslessly. */
export async function encodePng({ shape, data }: Tensor): Promise<Uint8Array> {
  const [, height, width, channels] = shape as [number, number, number, 1 | 2 | 3 | 4];
  const sharp = await loadSharp();
  return await sharp(data as Uint8Array, { raw: { width, height, channels } })
    .toColourspace(channels < 3 ? 'b-w' : 'srgb')
    .png()
    .toBuffer();
}
