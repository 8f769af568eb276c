/** Weights for images of other channels: timm's rule (`adapt_input_conv`) for the kernels that read the image. */
import { UserError } from '../core/errors.ts';
import type { StateDict, Tensor } from '../core/tensor.ts';

/**
 * The state with its stem's kernels for `to` channels instead of RGB: for one the sum over RGB, so that gray answers as
 * its RGB copy did; for more, RGB over and over, times 3 / to. Throws a UserError for weights of other than 3 channels.
 */
export function adaptInputChannels(state: StateDict, from: number, to: number, name: string): StateDict {
  if (from === to) return state;
  if (from !== 3)
    throw new UserError(
      `${name} is for images of ${from === 1 ? '1 channel' : `${from} channels`}, and only weights for RGB can be made ones for ${to}.`,
      `Train with --in-chans ${from}, or begin with other weights.`,
    );
  return new Map(
    [...state].map(([key, value]) => [
      key,
      /^stem\..*weight$/.test(key) && value.shape[1] === from ? adapt(value, to) : value,
    ]),
  );
}

function adapt({ shape, data }: Tensor, to: number): Tensor {
  const [out, from, height, width] = shape as [number, number, number, number];
  const taps = height * width;
  const made = new Float32Array(out * to * taps);
  for (let o = 0; o < out; o++) {
    for (let c = 0; c < Math.max(from, to); c++) {
      for (let t = 0; t < taps; t++) {
        const value = data[(o * from + (c % from)) * taps + t]!;
        if (to === 1) made[o * taps + t]! += value;
        else if (c < to) made[(o * to + c) * taps + t] = (value * from) / to;
      }
    }
  }
  return { shape: [out, to, height, width], data: made };
}
