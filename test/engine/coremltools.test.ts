/**
 * Core ML packages under Apple's own tools, where Python has them: `pip install coremltools==9.0`, and torch for the
 * comparison with what coremltools converts. They read, type and validate the files; predicting needs a Mac. What the program
 * computes is computed in numpy, operation by operation, rounding as it says.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { SCHEMA } from '../../src/engine/coreml/schema.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { COREML } from '../../src/export/coreml/format.ts';
import { type ExportOptions, FORMAT_BOUNDS } from '../../src/export/format.ts';
import { asInput } from '../../src/export/onnx/runner-node.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { formRunner } from '../../src/reparam/prove.ts';
import { hasReleased, pictures, releasedS0, tinyModel } from './cases/coreml.ts';

/** A Python with coremltools; another than python3 is named in MOBILEONE_PYTHON. */
const PYTHON = process.env.MOBILEONE_PYTHON ?? 'python3';
const hasCoremltools =
  spawnSync(PYTHON, ['-c', 'import importlib.util as u, sys; sys.exit(not u.find_spec("coremltools"))']).status === 0;
if (!hasCoremltools) console.log(`left out: ${PYTHON} has no coremltools (pip install coremltools==9.0)`);

const folder = join(tmpdir(), `coremltools-${process.pid}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(path: string, bytes: Uint8Array | string): string {
  const to = join(folder, path);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, bytes);
  return to;
}

/** Runs the script; what it prints last is JSON. */
function check(...args: readonly string[]): Record<string, unknown> {
  const script = join(import.meta.dirname, 'check-coreml.py');
  const out = execFileSync(PYTHON, [script, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return JSON.parse(out.trim().split('\n').at(-1)!) as Record<string, unknown>;
}

/** Uint8 images as numbers, `[N, C, H, W]`. */
function planes({ shape: [n, h, w, c], data }: Tensor): Tensor {
  const values = Float32Array.from(data);
  const each = h! * w!;
  data.forEach((value, i) => {
    const [pixel, channel] = [Math.floor(i / c!), i % c!];
    values[(Math.floor(pixel / each) * c! + channel) * each + (pixel % each)] = value;
  });
  return { shape: [n!, c!, h!, w!], data: values };
}

/** Writes a model and what is known of it, for the script. */
async function prepare(name: string, model: ModelFile, options: ExportOptions, photo?: Tensor): Promise<string> {
  const exported = await COREML.encode(model, options);
  for (const [path, bytes] of exported.files) write(join(name, path), bytes);
  const { size, preprocessing, precision, form } = exported.options;
  const images = photo ?? pictures([1, size, size, model.config.in_chans], 8);
  const runner = formRunner(createReferenceEngine(), exported);
  const { data: logits } = await runner.logits(images);
  await runner.dispose();
  const input = preprocessing ? planes(images) : asInput(images, exported);
  const params = Object.keys(exported.graph.params).map((param) => [param, exported.state.get(param)!] as const);
  const nodes = exported.graph.nodes.filter(({ kind }) => kind !== 'Preprocess');
  const known = {
    precision,
    params: params.map(([param, { shape }]) => [param, shape]),
    input: [...input.data],
    input_shape: input.shape,
    logits: [...logits],
    graph_input: 'input',
    nodes: preprocessing || form === 'train' ? undefined : nodes,
  };
  write(
    join(name, 'weights.bin'),
    Buffer.concat(params.map(([, { data }]) => new Uint8Array(Float32Array.from(data).buffer))),
  );
  return dirname(write(join(name, 'case.json'), JSON.stringify(known)));
}

const classifier = tinyModel(3, { info: { author: 'A. Uthor', license: 'CC0' } });
const CASES: Readonly<Record<string, readonly [ModelFile, ExportOptions]>> = {
  'classifier-fp16': [classifier, {}],
  'classifier-fp32': [classifier, { precision: 'fp32' }],
  'torch-fp16': [tinyModel(), { preprocessing: false }],
  'torch-fp32': [tinyModel(), { preprocessing: false, precision: 'fp32' }],
  gray: [tinyModel(1), { precision: 'fp32' }],
  several: [tinyModel(4, { multiLabel: true }), {}],
  train: [tinyModel(), { form: 'train', precision: 'fp32' }],
};

describe.skipIf(!hasCoremltools)('in coremltools', () => {
  let answers: Record<string, Record<string, unknown>> = {};
  let label: number | undefined;
  beforeAll(async () => {
    const folders: string[] = [];
    for (const [name, one] of Object.entries(CASES)) folders.push(await prepare(name, ...one));
    if (hasReleased) {
      const { model, photos } = await releasedS0();
      folders.push(await prepare('released', model, {}, photos[0]!.image));
      label = photos[0]!.top5[0]![0];
    }
    answers = check('cases', ...folders) as typeof answers;
  }, 600_000);

  test('the table of fields is that of the descriptors', () => {
    const result = check('schema', write('schema.json', JSON.stringify(SCHEMA)));
    expect(result.messages).toBe(Object.keys(SCHEMA).length);
    expect(result.fields).toBeGreaterThan(60);
  });

  test.each(Object.entries(CASES))(
    '%s: loaded, typed, weights to the bit, and computed in numpy',
    (name, [model, options]) => {
      const answer = answers[name]!;
      expect(answer.failed).toBeUndefined();
      console.log(`${name}: ${answer.operations} operations, ${answer.weights} weights, logits within ${answer.error}`);
      const form = options.form === 'train' ? model.graph : fuseGraph(model.graph);
      expect(answer).toMatchObject({ specification: 6, weights: Object.keys(form.params).length });
      // In fp16 every value between operations is rounded as well, which tells more in a small net of random weights.
      expect(answer.error).toBeLessThan(options.precision === 'fp32' ? FORMAT_BOUNDS.fp32 : 3 * FORMAT_BOUNDS.fp16);
      expect(answer.metadata).toContain('mobileone.preprocessing');
    },
  );

  test.skipIf(!hasReleased)("Apple's published S0 on a photo, in halves (skipped without ../shared)", () => {
    const { failed, error, label: answer } = answers.released!;
    console.log(`released: logits within ${error}, label ${answer}`);
    expect(failed).toBeUndefined();
    expect(answer).toBe(String(label));
    expect(error).toBeLessThan(FORMAT_BOUNDS.fp16);
  });

  test.each(['classifier-fp16', 'classifier-fp32'])('%s: a picture goes in, its class comes out', (name) => {
    expect(answers[name]).toMatchObject({
      input: { name: 'image', type: 'imageType', width: 37, height: 37, color: 'RGB' },
      outputs: ['classLabel', 'classLabel_probs', 'logits'],
      classifier: ['classLabel', 'classLabel_probs'],
      author: 'A. Uthor',
      license: 'CC0',
      version: expect.stringMatching(/^[0-9a-f]{12}$/),
      labels: classifier.classes,
      sum: expect.closeTo(1, 5),
    });
  });

  test('gray pictures, several labels, four channels, the train form', () => {
    const { gray, several, train } = answers as Record<'gray' | 'several' | 'train', Record<string, unknown>>;
    expect(gray.input).toMatchObject({ type: 'imageType', color: 'GRAYSCALE' });
    expect(several).toMatchObject({ outputs: ['probabilities', 'logits'], classifier: ['', ''] });
    expect(several.input).toEqual({ name: 'image', type: 'multiArrayType' });
    expect(several.probabilities).toHaveLength(12);
    expect(train.operations).toBeGreaterThan(100);
  });

  test.each(['torch-fp16', 'torch-fp32'])('%s: operation by operation what coremltools converts from torch', (name) => {
    const { input, torch, operations } = answers[name]! as { input: unknown; operations: number; torch: Torch | null };
    expect(input).toEqual({ name: 'input', type: 'multiArrayType' });
    if (!torch) return console.log(`left out: ${PYTHON} has no torch`);
    console.log(`${name}: ${torch.operations} operations are the same, torch's logits within ${torch.error}`);
    // Ours end with softmax and classify.
    expect(torch).toMatchObject({ specification: 6, operations: operations - 2 });
    expect(torch.error).toBeLessThan(1e-4);
  });
});

interface Torch {
  readonly specification: number;
  readonly operations: number;
  /** Of torch's logits. */
  readonly error: number;
}
