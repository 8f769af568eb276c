/** The readers of a bundle, run where they can run: Node, Chromium, and Python where its packages are. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { hasLiteRt } from '../../src/engine/litert-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { writeBundle } from '../../src/export/bundle-node.ts';
import type { ExportOptions } from '../../src/export/format.ts';
import { FORMATS, readersOf } from '../../src/export/formats-node.ts';
import { listFiles } from '../../src/export/open-bundle-node.ts';
import { describePreprocessing } from '../../src/export/preprocessing.ts';
import { ORT_WEB } from '../../src/export/readers/onnx-page.ts';
import { evalImage } from '../../src/images/decode-node.ts';
import { encodePng } from '../../src/images/encode-node.ts';
import { naturalImage } from '../../src/images/natural.ts';
import { initialState } from '../../src/models/init.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { formRunner } from '../../src/reparam/prove.ts';
import { fruit } from '../engine/cases/fruit.ts';
import { answerFromChromium, chromiumReady } from './chromium.ts';
import { built, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);

/** The same fruit in images of other channels. */
function inChannels(channels: number): ModelFile {
  const config = { ...fruit.config, in_chans: channels };
  const graph = mobileOne(config);
  const [mean, std] = [0.5, 0.25].map((value) => Array<number>(channels).fill(value)) as [number[], number[]];
  return {
    ...fruit,
    config,
    graph,
    state: initialState(graph, 3),
    preprocessing: { ...fruit.preprocessing, mean, std },
  };
}

/** Every way in which a file takes its images, one bundle each. */
const CASES: readonly (readonly [name: string, model: ModelFile, options: ExportOptions])[] = [
  ['plain', fruit, {}],
  ['planes', fruit, { layout: 'nchw', dynamicBatch: false }],
  ['floats', fruit, { preprocessing: false }],
  ['gray', inChannels(1), { size: 48 }],
  ['alpha', inChannels(4), {}],
  ['several', { ...fruit, multiLabel: true }, {}],
];
const NAMES = CASES.map(([name]) => name);
/** TFLite has images in one layout. */
const TFLITE_NAMES = hasLiteRt() ? NAMES.filter((name) => name !== 'planes') : [];
const photo = join(folder, 'photo.png');
/** Wider than high, shrunk by a broken factor. */
const PHOTO = { width: 150, height: 101 };

beforeAll(async () => {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const name of ['onnxruntime-node', 'sharp']) symlinkSync(resolve('node_modules', name), join(modules, name));
  symlinkSync(resolve('.'), join(modules, 'mobileone'));
  const engine = createReferenceEngine();
  for (const [name, model, options] of CASES) {
    // What programs here can run; Core ML needs a Mac, and the page of web is tried in web-format.test.ts.
    const names = ['onnx', 'safetensors', ...(TFLITE_NAMES.includes(name) ? ['tflite'] : [])];
    const formats = FORMATS.filter((format) => names.includes(format.name));
    await writeBundle(join(folder, name), model, {
      engine,
      formats,
      golden: 3,
      withRuntime: name === 'plain',
      ...options,
    });
  }
  const data = naturalImage(PHOTO.width, 3, 5).slice(0, PHOTO.width * PHOTO.height * 3);
  writeFileSync(photo, await encodePng({ shape: [1, PHOTO.height, PHOTO.width, 3], data }));
});

/** Class names with probabilities, in percent with a digit, as the readers print them. */
async function expected(name: string): Promise<string> {
  const [, model, { size = model.preprocessing.size }] = CASES.find(([one]) => one === name)!;
  const preprocessing = { ...model.preprocessing, size };
  const { graph, state } = fuse(model.graph, model.state);
  const runner = formRunner(createReferenceEngine(), { graph: withPreprocess(graph, preprocessing), state });
  const image: Tensor = {
    shape: [1, size, size, preprocessing.mean.length],
    data: await evalImage(photo, preprocessing),
  };
  const logits = [...(await runner.logits(image)).data];
  await runner.dispose();
  const powers = logits.map((value) => (model.multiLabel ? 1 / (1 + Math.exp(-value)) : Math.exp(value)));
  const sum = model.multiLabel ? 1 : powers.reduce((total, power) => total + power, 0);
  return powers
    .map((power, i) => ({ label: model.classes[i]!, chance: power / sum }))
    .sort((a, b) => b.chance - a.chance)
    .map(({ label, chance }) => `${label} ${(100 * chance).toFixed(1)} %`)
    .join(', ');
}

function run(command: string, args: readonly string[]): { code: number | null; out: string } {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', cwd: folder });
  return { code: status, out: status === 0 ? stdout : stdout + stderr };
}

/** Runs a reader on the golden images and on a photo of another size. */
async function expectRight(command: string, script: string, name: string): Promise<void> {
  const reader = join(folder, name, 'readers', script);
  const golden = run(command, [reader, '--golden']);
  expect(golden.code, golden.out).toBe(0);
  const lines = golden.out.trim().split('\n');
  expect(lines).toHaveLength(3);
  for (const line of lines) {
    expect(line).toContain('  ok  ');
    expect(Number(line.split('  ').at(-1))).toBeLessThan(1e-5);
  }
  expect(run(command, [reader, photo]).out.trim()).toBe(`${photo}  ${await expected(name)}`);
}

describe('in Node', () => {
  it.each(NAMES)('ONNX, %s: the golden logits, and the answer of our own pipeline for a photo', async (name) => {
    await expectRight(process.execPath, 'onnx.mjs', name);
  });

  it.skipIf(!built).each(['gray', 'several'])('weights, %s: the same', async (name) => {
    await expectRight(process.execPath, 'mobileone.mjs', name);
  });

  it('says what is wrong with a file that was changed', async () => {
    const changed = join(folder, 'planes', 'golden.json');
    const golden = readFileSync(changed, 'utf8');
    const { label } = JSON.parse(golden).images[0] as { label: string };
    writeFileSync(changed, golden.replaceAll(`"label": "${label}"`, '"label": "banana"'));
    const { code, out } = run(process.execPath, [join(folder, 'planes', 'readers', 'onnx.mjs'), '--golden']);
    writeFileSync(changed, golden);
    expect(out).toContain('WRONG, expected banana');
    expect(code).toBe(1);
  });
});

/** A page that waits for the readers' page in a frame, lets it classify the photo, and tells what it shows. */
const OUTER = `<!doctype html><iframe id="with" src="/plain/readers/index.html"></iframe><iframe id="without" src="/planes/readers/index.html"></iframe>
<script type="module">
const page = (id) => document.getElementById(id).contentWindow;
const post = (answer) => fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
// A frame that is still loading may have no document.
const until = async (found) => {
  for (let value; ; await new Promise((go) => setTimeout(go, 50))) if ((value = found())) return value;
};
try {
  const golden = await until(() => page('with').document?.documentElement?.dataset.golden);
  const answers = golden.startsWith('failed') ? [] : await page('with').classify(await (await fetch('/photo.png')).blob());
  await until(() => page('without').document?.getElementById('cdn')?.hidden === false);
  await post({
    golden, answers,
    status: ['with', 'without'].map((id) => page(id).document.getElementById('status').textContent),
    rows: [...page('with').document.querySelectorAll('#golden tr')].map((row) => [...row.cells].slice(1).map((cell) => cell.textContent)),
    hosts: ['with', 'without'].flatMap((id) => page(id).performance.getEntriesByType('resource').map(({ name }) => new URL(name).host)),
    host: location.host,
  });
} catch (error) {
  await post({ golden: String(error) });
}
</script>`;

test.skipIf(!chromiumReady)(
  'the page in Chromium: golden logits and a photo; without a runtime it asks, and loads nothing from elsewhere',
  async () => {
    const texts: Record<string, string | Uint8Array> = { '/': OUTER, '/photo.png': readFileSync(photo) };
    for (const name of ['plain', 'planes'])
      for (const path of await listFiles(join(folder, name)))
        texts[`/${name}/${path}`] = readFileSync(join(folder, name, path));
    const answer = await answerFromChromium({ texts });
    expect(answer.golden).toBe('3 of 3');
    for (const [, shown, difference] of answer.rows as string[][]) {
      expect(shown).toMatch(/^✓ /);
      expect(Number(difference)).toBeLessThan(1e-5);
    }
    const answers = answer.answers as { label: string; probability: number }[];
    expect(answers.map(({ label, probability }) => `${label} ${(100 * probability).toFixed(1)} %`).join(', ')).toBe(
      await expected('plain'),
    );
    const [ready, missing] = answer.status as string[];
    expect(ready).toMatch(RegExp(`^Ready: ONNX Runtime Web ${ORT_WEB}, `));
    expect(missing).toContain('is not in readers/ort/');
    expect(new Set(answer.hosts as string[])).toEqual(new Set([answer.host]));
  },
);

/** Pythons with the packages; others than python3 are named in MOBILEONE_PYTHON, with commas between them. */
const PYTHONS = (process.env.MOBILEONE_PYTHON ?? 'python3').split(',');
const pythonWith = (module: string): string | undefined =>
  PYTHONS.find((python) => run(python, ['-c', `import ${module}, PIL, numpy`]).code === 0);

it.skipIf(!pythonWith('onnxruntime')).each(NAMES)(
  'in Python (skipped without onnxruntime, Pillow and numpy): ONNX, %s',
  async (name) => {
    await expectRight(pythonWith('onnxruntime')!, 'onnx.py', name);
  },
);

it.skipIf(!pythonWith('ai_edge_litert')).each(TFLITE_NAMES)(
  'in Python (skipped without ai-edge-litert, Pillow, numpy and LiteRT.js): TFLite, %s',
  async (name) => {
    await expectRight(pythonWith('ai_edge_litert')!, 'tflite.py', name);
  },
);

it.each(FORMATS)('$name: readers are complete text for every kind of input', ({ name }) => {
  for (const [, model, { layout = 'nhwc', preprocessing = true }] of CASES) {
    const options = {
      layout: preprocessing ? layout : 'nchw',
      preprocessing,
      dynamicBatch: true,
    } as Required<ExportOptions>;
    const how = describePreprocessing(model, [{ main: 'm.x', options, preprocessing: model.preprocessing }]);
    for (const reader of readersOf(name))
      expect(reader.text({ main: 'm.x', preprocessing: how }), reader.file).not.toMatch(
        /\$\{|\[object|[ ([](undefined|NaN)f?[,;)\n]$/m,
      );
  }
});

it('the page asks for the version of onnxruntime-web that is tested here', () => {
  const { devDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  expect(devDependencies['onnxruntime-web']).toBe(ORT_WEB);
  expect(existsSync(join(folder, 'plain', 'readers', 'ort', 'LICENSE'))).toBe(true);
  expect(existsSync(join(folder, 'gray', 'readers', 'ort'))).toBe(false);
});
