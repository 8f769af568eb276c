/** `readers/onnx.mjs`: an ONNX file in Node. */
import type { Reader } from './reader.ts';

const text = (main: string): string => String.raw`// Says what pictures show:       node readers/onnx.mjs PICTURE ...
// Checks the golden images:      node readers/onnx.mjs --golden
// Needs two packages:            npm install --no-save onnxruntime-node sharp
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { center, compare, toChannels, toTensor, top } from './prepare.mjs';

const MODEL = '${main}';
const inBundle = (path) => fileURLToPath(new URL('../' + path, import.meta.url));
const json = async (path) => JSON.parse(await readFile(inBundle(path), 'utf8'));

const how = await json('preprocessing.json');
const labels = (await readFile(inBundle(how.output.labels), 'utf8')).trimEnd().split('\n');
const session = await InferenceSession.create(inBundle(MODEL));

/** Decodes a file to bytes of as many channels as the model takes. */
async function decode(path) {
  const alpha = how.channels === 2 || how.channels === 4;
  const upright = sharp(path).autoOrient();
  const { data, info } = await (alpha ? upright.ensureAlpha() : upright.flatten({ background: '#ffffff' }))
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  return { width, height, channels: how.channels, data: toChannels(new Uint8Array(data), channels, how.channels) };
}

/** A picture of the right size -> logits. */
async function run(picture) {
  const { data, dims, dtype } = toTensor(picture, how, MODEL);
  const results = await session.run({ [session.inputNames[0]]: new Tensor(dtype, data, dims) });
  return results.logits.data;
}

const pictures = process.argv.slice(2);
if (pictures.length === 0) {
  console.error('Name pictures, or --golden.');
  process.exitCode = 2;
} else if (pictures[0] === '--golden') {
  for (const entry of (await json('golden.json')).images) {
    const { right, expected, got, difference } = compare(await run(await decode(inBundle(entry.file))), entry, labels);
    console.log(entry.file + '  ' + (right ? 'ok' : 'WRONG, expected ' + expected) + '  ' + got + '  ' + difference.toExponential(1));
    if (!right) process.exitCode = 1;
  }
} else {
  for (const path of pictures) {
    const answers = top(await run(center(await decode(path), how)), labels, how);
    console.log(path + '  ' + answers.map(({ label, probability }) => label + ' ' + (100 * probability).toFixed(1) + ' %').join(', '));
  }
}
`;

export const ONNX_NODE: Reader = {
  file: 'onnx.mjs',
  about: 'Node, by onnxruntime-node.',
  run: 'npm install --no-save onnxruntime-node sharp && node readers/onnx.mjs --golden',
  text: ({ main }) => text(main),
};
