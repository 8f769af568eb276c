/** The reader of weights: this library. */
import type { Reader } from './reader.ts';

const text = (main: string): string => `// Says what pictures show:       node readers/mobileone.mjs PICTURE ...
// Checks the golden images:      node readers/mobileone.mjs --golden
// Needs a package:               npm install --no-save mobileone
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { evalImage, loadModel, loadState, nodeWasmEngine, withPreprocess } from 'mobileone/node';

const inBundle = (path) => fileURLToPath(new URL('../' + path, import.meta.url));
const model = await loadModel(inBundle('${main}'));
const { classes, preprocessing } = model;
const { size, mean } = preprocessing;
const engine = await nodeWasmEngine();
const program = await engine.compile(withPreprocess(model.graph, preprocessing), { dims: { N: 1, H: size, W: size } });
loadState(program, model.state);

/** A picture of any size -> logits; one of the right size is taken as it is. */
async function run(path, whole = false) {
  const data = await evalImage(path, whole ? { ...preprocessing, cropPct: 1 } : preprocessing);
  const { logits } = await program.run({ image: { shape: [1, size, size, mean.length], data } });
  return Array.from(logits.data);
}

const pictures = process.argv.slice(2);
if (pictures.length === 0) {
  console.error('Name pictures, or --golden.');
  process.exitCode = 2;
} else if (pictures[0] === '--golden') {
  for (const { file, label, labels, logits } of JSON.parse(await readFile(inBundle('golden.json'), 'utf8')).images) {
    const values = await run(inBundle(file), true);
    const got = labels
      ? classes.filter((_, i) => values[i] > 0).join(', ')
      : classes[values.indexOf(Math.max(...values))];
    const expected = labels ? labels.join(', ') : label;
    const difference = Math.max(...values.map((value, i) => Math.abs(value - logits[i]))) / Math.max(...logits.map(Math.abs));
    console.log(file + '  ' + (got === expected ? 'ok' : 'WRONG, expected ' + expected) + '  ' + got + '  ' + difference.toExponential(1));
    if (got !== expected) process.exitCode = 1;
  }
} else {
  for (const path of pictures) {
    const values = await run(path);
    const powers = values.map((value) => (model.multiLabel ? 1 / (1 + Math.exp(-value)) : Math.exp(value - Math.max(...values))));
    const sum = model.multiLabel ? 1 : powers.reduce((total, power) => total + power, 0);
    const best = powers
      .map((power, i) => ({ label: classes[i], probability: power / sum }))
      .sort((a, b) => b.probability - a.probability)
      .slice(0, 5);
    console.log(path + '  ' + best.map(({ label, probability }) => label + ' ' + (100 * probability).toFixed(1) + ' %').join(', '));
  }
}
await program.dispose();
`;

export const SAFETENSORS_READERS: readonly Reader[] = [
  {
    file: 'mobileone.mjs',
    about: 'Node, by this library, without any other runtime.',
    run: 'npm install --no-save mobileone sharp && node readers/mobileone.mjs --golden',
    text: ({ main }) => text(main),
  },
];
