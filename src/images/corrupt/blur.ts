import type { Random } from '../../core/random.ts';
import type { Pixels } from './pixels.ts';

/** Side of the images that lengths in pixels are meant for. */
const NOMINAL = 224;

/** Blurs by a normal kernel whose deviation is given for 224 px; the border continues. */
export function gaussianBlur({ data, size }: Pixels, deviation: number): Uint8Array {
  const sigma = (deviation * size) / NOMINAL;
  const radius = Math.ceil(3 * sigma);
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const sum = kernel.reduce((total, weight) => total + weight, 0);
  const weights = kernel.map((weight) => weight / sum);
  const along = alongAxis(Float32Array.from(data), size, weights, 3, 3 * size);
  return new Uint8Array(Uint8ClampedArray.from(alongAxis(along, size, weights, 3 * size, 3)).buffer);
}

/** Convolves along one axis: `step` leads to the next value of a line, `stride` to the next line. */
function alongAxis(
  input: Float32Array,
  size: number,
  weights: Float64Array,
  step: number,
  stride: number,
): Float32Array {
  const radius = (weights.length - 1) / 2;
  const out = new Float32Array(input.length);
  for (let line = 0; line < size; line++) {
    for (let channel = 0; channel < 3; channel++) {
      const start = line * stride + channel;
      for (let i = 0; i < size; i++) {
        let sum = 0;
        for (let k = -radius; k <= radius; k++) {
          const at = Math.max(0, Math.min(size - 1, i + k));
          sum += weights[k + radius]! * input[start + at * step]!;
        }
        out[start + i * step] = sum;
      }
    }
  }
  return out;
}

/** Smears along a straight stroke in a random direction; its length is given for 224 px. */
export function motionBlur({ data, size }: Pixels, length: number, rng: Random): Uint8Array {
  const angle = Math.PI * rng.uniform();
  const stroke = (length * size) / NOMINAL;
  const taps = Math.max(2, Math.ceil(stroke) + 1);
  const offsets = Array.from({ length: taps }, (_, i) => (i / (taps - 1) - 0.5) * stroke);
  const shifts = offsets.map((t) => [Math.cos(angle) * t, Math.sin(angle) * t] as const);
  const limit = size - 1;
  const clamp = (value: number): number => Math.max(0, Math.min(limit, value));
  const out = new Uint8ClampedArray(data.length);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let [r, g, b] = [0, 0, 0];
      for (const [dx, dy] of shifts) {
        const at = (Math.round(clamp(y + dy)) * size + Math.round(clamp(x + dx))) * 3;
        r += data[at]!;
        g += data[at + 1]!;
        b += data[at + 2]!;
      }
      const to = (y * size + x) * 3;
      out[to] = r / taps;
      out[to + 1] = g / taps;
      out[to + 2] = b / taps;
    }
  }
  return new Uint8Array(out.buffer);
}
