/**
 * TFLite files outside our own process: by the command line, in Chromium, and in Python, where the packages are installed
 * (ai-edge-litert runs them; tflite-support and MediaPipe read labels and metadata).
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { loadState } from '../../src/engine/engine.ts';
import { hasLiteRt } from '../../src/engine/litert-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { toTflite } from '../../src/engine/tflite/to-tflite.ts';
import { FORMAT_BOUNDS, type Precision } from '../../src/export/format.ts';
import { TFLITE } from '../../src/export/tflite/format-node.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { compareLogits, summarize } from '../../src/reparam/prove.ts';
import { lively } from '../engine/cases/models.ts';
import { answerFromChromium, chromiumReady, PLAIN_PAGE } from './chromium.ts';
import { built, COLORS, cli, makeImages, temporaryFolder } from './cli-process.ts';

const SIZE = 40;
const CLASSES = Object.keys(COLORS);
const config: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 2, 1],
  widths: [0.2, 0.15, 0.1, 0.1],
  se_blocks: [0, 1, 0, 1],
  num_classes: 3,
};
const graph = mobileOne(config);
const MODEL: ModelFile = {
  config,
  form: 'train',
  classes: CLASSES,
  preprocessing: {
    size: SIZE,
    cropPct: 1,
    interpolation: 'bilinear',
    mean: [0.5, 0.4, 0.3],
    std: [0.25, 0.2, 0.3],
  },
  graph,
  state: lively(graph, 21),
  info: {},
};
const image: Tensor = {
  shape: [1, SIZE, SIZE, 3],
  data: Uint8Array.from({ length: SIZE * SIZE * 3 }, (_, i) => (i * 7919) % 256),
};

const { folder, remove } = temporaryFolder();
const files = new Map<Precision, Uint8Array>();
let expected: Tensor;
const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  for (const precision of TFLITE.precisions) {
    const exported = await TFLITE.encode(MODEL, { precision });
    files.set(precision, exported.files.get(exported.main)!);
    writeFileSync(path(`${precision}.tflite`), files.get(precision)!);
    const program = await createReferenceEngine().compile(exported.graph, { dims: { N: 1, H: SIZE, W: SIZE } });
    loadState(program, exported.state);
    expected = (await program.run({ image })).logits!;
  }
  writeFileSync(path('image.raw'), image.data as Uint8Array);
});
afterAll(remove);

/** Holds logits of the image against the reference engine's. */
function expectLogits(values: readonly number[], precision: Precision): void {
  const actual: Tensor = { shape: expected.shape, data: Float32Array.from(values) };
  const proof = summarize(compareLogits(expected, actual, 1), FORMAT_BOUNDS[precision], '');
  expect(proof, precision).toMatchObject({ passed: true, top1Agreement: 100 });
}

describe.skipIf(!built || !hasLiteRt())('the command line (skipped without a build or LiteRT.js)', () => {
  test('eval and predict run a file by itself', async () => {
    await makeImages(path('photos'), 3);
    const evaluated = await cli(folder, 'eval', 'fp16.tflite', 'photos', '--split', 'all', '--json');
    expect(evaluated).toMatchObject({ code: 0, err: '' });
    const result = JSON.parse(evaluated.out) as { images: number; classes: string[]; confusion: number[][] };
    expect(result).toMatchObject({ images: 9, classes: CLASSES });

    const paths = CLASSES.map((name) => `photos/${name}/0.png`);
    const predicted = await cli(folder, 'predict', 'fp32.tflite', ...paths, '--json');
    expect(predicted).toMatchObject({ code: 0, err: '' });
    const answers = predicted.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { path: string; predictions: { class: string }[] });
    expect(answers.map((one) => one.path)).toEqual(paths);
    for (const { predictions } of answers) expect(predictions.map((one) => one.class).sort()).toEqual(CLASSES);
  });

  test('flags without effect, damaged files and those of others are refused in one sentence', async () => {
    const threads = await cli(folder, 'predict', 'fp32.tflite', 'photos', '--threads', '2');
    expect(threads.code).toBe(2);
    expect(threads.err).toContain('--threads has no effect on a TFLite file: LiteRT.js runs it, on one thread.');
    writeFileSync(path('cut.tflite'), files.get('fp32')!.slice(0, 900));
    writeFileSync(path('foreign.tflite'), await toTflite(graph, MODEL.state, { dims: { N: 1, H: SIZE, W: SIZE } }));
    for (const [name, message] of [
      ['cut', /cut\.tflite: .*damaged or cut off/],
      ['foreign', /foreign\.tflite: .*doesn't say which classes/],
    ] as const) {
      const refused = await cli(folder, 'eval', `${name}.tflite`, 'photos');
      expect(refused.code).toBe(1);
      expect(refused.err).toMatch(message);
      expect(refused.err).not.toMatch(/\bat .*\.js:/);
    }
  });
});

/** What runs in the page: LiteRT.js on the files and the image. */
const PAGE_CODE = `
import { loadAndCompile, loadLiteRt, Tensor } from '@litertjs/core';
const bytesOf = async (path) => new Uint8Array(await (await fetch(path)).arrayBuffer());
await loadLiteRt('/node_modules/@litertjs/core/wasm/', { threads: false });
const image = await bytesOf('/image.raw');
const answer = { agent: navigator.userAgent };
for (const precision of ['fp32', 'fp16']) {
  const model = await loadAndCompile(await bytesOf('/' + precision + '.tflite'), { accelerator: 'wasm' });
  const input = new Tensor(image, [1, ${SIZE}, ${SIZE}, 3]);
  const { logits } = await model.run({ image: input });
  answer[precision] = [...await logits.data()];
}
await fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
`;
const MODULES = {
  '@litertjs/core': '/node_modules/@litertjs/core/dist/index.js',
  '@litertjs/wasm-utils': '/node_modules/@litertjs/wasm-utils/dist/index.js',
};

test.skipIf(!chromiumReady || !hasLiteRt())(
  'LiteRT.js in Chromium gives the same logits (skipped without Chromium, a build or LiteRT.js)',
  async () => {
    const answer = await answerFromChromium({
      texts: {
        '/': PLAIN_PAGE.replace(
          '<script',
          `<script type="importmap">${JSON.stringify({ imports: MODULES })}</script><script`,
        ),
        '/worker.js': PAGE_CODE,
        '/image.raw': image.data as Uint8Array,
        ...Object.fromEntries([...files].map(([precision, bytes]) => [`/${precision}.tflite`, bytes])),
      },
      modules: true,
    });
    expect(answer.error).toBeUndefined();
    expect(answer.agent).toContain('Chrome/');
    for (const precision of TFLITE.precisions) expectLogits(answer[precision] as number[], precision);
  },
);

/** Pythons with the packages; others than python3 are named in MOBILEONE_PYTHON, with commas between them. */
const PYTHONS = (process.env.MOBILEONE_PYTHON ?? 'python3').split(',');
const pythonWith = (module: string): string | undefined =>
  PYTHONS.find((python) => spawnSync(python, ['-c', `import ${module}`], { stdio: 'ignore' }).status === 0);

/** Runs a script on the two files and the image; it prints JSON. */
function python(module: string, script: string): unknown {
  const args = ['-c', script, path('fp32.tflite'), path('fp16.tflite'), path('image.raw')];
  return JSON.parse(execFileSync(pythonWith(module)!, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
}

test.skipIf(!pythonWith('ai_edge_litert'))(
  "Python's interpreter gives the same logits, of several images at once too (skipped without ai-edge-litert)",
  () => {
    const rows = python(
      'ai_edge_litert',
      `
import json, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter
def run(path, images):
    interpreter = Interpreter(path)
    index = interpreter.get_input_details()[0]['index']
    interpreter.resize_tensor_input(index, images.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(index, images)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]['index'])
image = np.fromfile(sys.argv[3], np.uint8).reshape(1, ${SIZE}, ${SIZE}, 3)
three = np.concatenate([255 - image, image, image])
print(json.dumps([[run(path, image)[0].tolist(), run(path, three)[1].tolist()] for path in sys.argv[1:3]]))
`,
    ) as number[][][];
    TFLITE.precisions.forEach((precision, i) => {
      for (const row of rows[i]!) expectLogits(row, precision);
    });
  },
);

test.skipIf(!pythonWith('tflite_support'))(
  "TensorFlow's own reader finds metadata and labels, and takes them (skipped without tflite-support)",
  () => {
    const found = python(
      'tflite_support',
      `
import json, sys
from tflite_support import metadata
shown = metadata.MetadataDisplayer.with_model_file(sys.argv[2])
populator = metadata.MetadataPopulator.with_model_file(sys.argv[2])
populator.load_metadata_buffer(bytearray(metadata.get_metadata_buffer(open(sys.argv[2], 'rb').read())))
print(json.dumps({
  'files': shown.get_packed_associated_file_list(),
  'labels': shown.get_associated_file_buffer('labels.txt').decode(),
  'metadata': json.loads(shown.get_metadata_json()),
}))
`,
    ) as { metadata: { subgraph_metadata: { input_tensor_metadata: object[] }[] } };
    expect(found).toMatchObject({ files: ['labels.txt'], labels: CLASSES.map((name) => `${name}\n`).join('') });
    expect(found.metadata.subgraph_metadata[0]!.input_tensor_metadata[0]).toMatchObject({
      name: 'image',
      content: { content_properties: { color_space: 'RGB', default_size: { width: SIZE, height: SIZE } } },
      process_units: [{ options_type: 'NormalizationOptions', options: { mean: [0], std: [1] } }],
    });
  },
);

test.skipIf(!pythonWith('mediapipe'))(
  "MediaPipe's image classifier gives classes their names (skipped without mediapipe)",
  () => {
    const found = python(
      'mediapipe',
      `
import json, sys
import mediapipe as mp
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
image = np.fromfile(sys.argv[3], np.uint8).reshape(${SIZE}, ${SIZE}, 3)
answers = []
for path in sys.argv[1:3]:
    options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=path))
    with vision.ImageClassifier.create_from_options(options) as classifier:
        result = classifier.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=image))
    answers.append([[one.category_name, one.score] for one in result.classifications[0].categories])
print(json.dumps(answers))
`,
    ) as [string, number][][];
    TFLITE.precisions.forEach((precision, i) => {
      const scores = new Map(found[i]!);
      expectLogits(
        CLASSES.map((name) => scores.get(name)!),
        precision,
      );
    });
  },
);

test.skipIf(spawnSync('unzip', ['-v'], { stdio: 'ignore' }).status !== 0)(
  'unzip finds the labels behind the model (skipped without unzip)',
  () => {
    const text = execFileSync('unzip', ['-p', path('fp32.tflite'), 'labels.txt'], { encoding: 'utf8' });
    expect(text).toBe('blue\ngreen\nred\n');
    expect(readFileSync(path('fp32.tflite')).subarray(4, 8).toString()).toBe('TFL3');
  },
);
