/** Interleaved images as planes, the layout of networks. */
import type { Tensor } from '../core/tensor.ts';
import type { Preprocessing } from './preprocess.ts';

/**
 * Images `[N, H, W, C]` of 0 … 255 as planes `[N, C, H, W]`: bytes as they are, or, with a normalization, float32
 * (value / 255 − mean) / std.
 */
export function asPlanes(
  { shape, data }: Tensor,
  normalization?: Pick<Preprocessing, 'mean' | 'std'> | undefined,
): Tensor {
  const [n, h, w, c] = shape as [number, number, number, number];
  const planes = normalization ? new Float32Array(data.length) : new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const channel = i % c;
    const position = Math.floor(i / c);
    const image = Math.floor(position / (h * w));
    const value = data[i]!;
    planes[(image * c + channel) * h * w + (position % (h * w))] = normalization
      ? (value / 255 - normalization.mean[channel]!) / normalization.std[channel]!
      : value;
  }
  return { shape: [n, c, h, w], data: planes };
}
