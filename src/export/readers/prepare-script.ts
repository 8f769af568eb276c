/** `readers/prepare.mjs`: what the JavaScript readers share. */
import type { Reader } from './reader.ts';

const TEXT = `// From a decoded picture to what the model takes, and from its logits to names. Plain JavaScript, for Node and browsers.
// A picture is { width, height, channels, data }: interleaved bytes. "how" is preprocessing.json.

/** Interleaved bytes with as many channels as the model takes: 1 gray, 2 gray and alpha, 3 RGB, 4 RGBA. */
export function toChannels(data, from, to) {
  if (from === to) return data;
  const out = new Uint8Array((data.length / from) * to);
  for (let p = 0, q = 0; p < data.length; p += from, q += to) {
    const [r, g, b] = from < 3 ? [data[p], data[p], data[p]] : [data[p], data[p + 1], data[p + 2]];
    // Pillow's gray, of which gray itself is left as it is.
    if (to < 3) out[q] = (r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16;
    else out.set([r, g, b], q);
    if (to % 2 === 0) out[q + to - 1] = from % 2 === 0 ? data[p + from - 1] : 255;
  }
  return out;
}

/** Taps of an antialiased bilinear filter along one axis, in 22-bit integers, as Pillow computes them. */
function tapsOf(from, to) {
  const scale = from / to;
  const support = Math.max(1, scale);
  const inverse = 1 / support;
  return Array.from({ length: to }, (_, o) => {
    const center = (o + 0.5) * scale;
    const first = Math.max(0, Math.trunc(center - support + 0.5));
    const end = Math.min(from, Math.trunc(center + support + 0.5));
    const exact = [];
    for (let i = first; i < end; i++) exact.push(Math.max(0, 1 - Math.abs((i - center + 0.5) * inverse)));
    const sum = exact.reduce((total, weight) => total + weight, 0);
    return { first, weights: exact.map((weight) => Math.trunc(0.5 + (weight / sum) * 2 ** 22)) };
  });
}

/** Filters lines of samples: sample i of line l is data[l * line + i * step]. */
function filter(data, taps, lines, line, step, out, outLine, outStep) {
  for (let l = 0; l < lines; l++) {
    for (let o = 0; o < taps.length; o++) {
      const { first, weights } = taps[o];
      let sum = 2 ** 21;
      for (let t = 0; t < weights.length; t++) sum += weights[t] * data[l * line + (first + t) * step];
      out[l * outLine + o * outStep] = sum >> 22;
    }
  }
}

/** Resizes along x, then along y. */
export function resize({ width, height, channels, data }, toWidth, toHeight) {
  const middle = new Uint8Array(toWidth * height * channels);
  const out = new Uint8Array(toWidth * toHeight * channels);
  const [along, down] = [tapsOf(width, toWidth), tapsOf(height, toHeight)];
  for (let c = 0; c < channels; c++)
    filter(data.subarray(c), along, height, width * channels, channels, middle.subarray(c), toWidth * channels, channels);
  filter(middle, down, toWidth * channels, 1, toWidth * channels, out, 1, toWidth * channels);
  return { width: toWidth, height: toHeight, channels, data: out };
}

/** Takes the short side to the length that the model was evaluated at, and cuts out the middle. */
export function center(picture, how) {
  const { width, height, channels } = picture;
  const { crop } = how;
  const short = how.resize.short_side;
  const scale = short / Math.min(width, height);
  const resized = resize(
    picture,
    width <= height ? short : Math.max(crop, Math.floor(width * scale)),
    height <= width ? short : Math.max(crop, Math.floor(height * scale)),
  );
  const [left, top] = [resized.width, resized.height].map((side) => Math.floor((side - crop) / 2));
  const data = new Uint8Array(crop * crop * channels);
  for (let y = 0; y < crop; y++) {
    const from = ((top + y) * resized.width + left) * channels;
    data.set(resized.data.subarray(from, from + crop * channels), y * crop * channels);
  }
  return { width: crop, height: crop, channels, data };
}

/** A picture of the right size as the file takes it: { data, dims, dtype }. */
export function toTensor({ width, height, channels, data }, how, file) {
  const { dtype, layout } = how.inputs[file];
  const { mean, std } = how;
  const pixels = width * height;
  const out = dtype === 'uint8' ? new Uint8Array(data.length) : new Float32Array(data.length);
  for (let p = 0; p < pixels; p++) {
    for (let c = 0; c < channels; c++) {
      const value = data[p * channels + c];
      out[layout === 'nchw' ? c * pixels + p : p * channels + c] =
        dtype === 'uint8' ? value : (value / 255 - mean[c]) / std[c];
    }
  }
  return { data: out, dims: layout === 'nchw' ? [1, channels, height, width] : [1, height, width, channels], dtype };
}

/** The most probable classes: [{ label, probability }]. */
export function top(logits, labels, how, count = 5) {
  const values = Array.from(logits);
  const largest = Math.max(...values);
  const softmax = how.output.activation === 'softmax';
  const powers = values.map((value) => (softmax ? Math.exp(value - largest) : 1 / (1 + Math.exp(-value))));
  const sum = softmax ? powers.reduce((total, power) => total + power, 0) : 1;
  return powers
    .map((power, i) => ({ label: labels[i], probability: power / sum }))
    .sort((a, b) => b.probability - a.probability)
    .slice(0, count);
}

/** Compares logits with what golden.json says of an image: { right, expected, got, difference }. */
export function compare(logits, entry, labels) {
  const values = Array.from(logits);
  const got = entry.labels
    ? labels.filter((_, i) => values[i] > 0).join(', ')
    : labels[values.indexOf(Math.max(...values))];
  const expected = entry.labels ? entry.labels.join(', ') : entry.label;
  const largest = Math.max(...entry.logits.map(Math.abs));
  const difference = Math.max(...values.map((value, i) => Math.abs(value - entry.logits[i]))) / largest;
  return { right: got === expected, expected, got, difference };
}
`;

export const PREPARE: Reader = {
  file: 'prepare.mjs',
  about: "resizing as Pillow's and reading of logits, for the JavaScript readers",
  text: () => TEXT,
};
