/** Core ML packages as we write them, read back and computed, against the float64 reference. */
import { describe, expect, test } from 'vitest';
import type { ModelFile } from '../../src/checkpoint/model-file.ts';
import { UserError } from '../../src/core/errors.ts';
import { fromFloat16, toFloat16 } from '../../src/core/float16.ts';
import type { StateDict, Tensor } from '../../src/core/tensor.ts';
import { fromCoreml } from '../../src/engine/coreml/from-coreml.ts';
import { MODEL_PATH, WEIGHTS_PATH } from '../../src/engine/coreml/package.ts';
import { decodeMessage } from '../../src/engine/coreml/protobuf.ts';
import { toCoreml } from '../../src/engine/coreml/to-coreml.ts';
import { type Engine, loadState } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { softmax, topK } from '../../src/evaluate/metrics.ts';
import { COREML, distinct } from '../../src/export/coreml/format.ts';
import { type ExportOptions, FORMAT_BOUNDS, type Precision } from '../../src/export/format.ts';
import { convAttrs, graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { compareLogits, formRunner } from '../../src/reparam/prove.ts';
import { trainMode } from '../../src/step/train-step.ts';
import { fuzz, hasReleased, pictures, releasedS0, tinyModel } from './cases/coreml.ts';
import { lively, noise } from './cases/models.ts';

const reference = createReferenceEngine();

async function run(
  engine: Engine,
  graph: Graph,
  state: StateDict,
  feeds: Record<string, Tensor>,
): Promise<Record<string, Tensor>> {
  const program = await engine.compile(graph, { dims: { N: 1 } });
  expect(loadState(program, state)).toEqual([]);
  const results = await program.run(feeds);
  await program.dispose();
  return results;
}

function relativeError(actual: Tensor, expected: Tensor): number {
  expect(actual.shape).toEqual(expected.shape);
  const largest = Math.max(...Array.from(expected.data, Math.abs));
  return Math.max(...Array.from(expected.data, (value, i) => Math.abs(value - actual.data[i]!))) / largest;
}

describe('exported models, read back and computed by the wasm engine', () => {
  const several = { multiLabel: true } as const;
  const cases: readonly [name: string, model: ModelFile, options: ExportOptions][] = [
    ['RGB', tinyModel(), {}],
    ['gray', tinyModel(1), { size: 40 }],
    ['gray and alpha', tinyModel(2), {}],
    ['RGBA', tinyModel(4), {}],
    ['normalized outside', tinyModel(), { preprocessing: false }],
    ['several labels', tinyModel(3, several), {}],
    ['the train form', tinyModel(), { form: 'train' }],
  ];
  const precisions: readonly Precision[] = COREML.precisions;
  test.each(cases.flatMap(([name, ...one]) => precisions.map((precision) => [name, precision, ...one] as const)))(
    '%s, %s',
    async (_, precision, model, options) => {
      const exported = await COREML.encode(model, { ...options, precision });
      const { size } = exported.options;
      const images = pictures([2, size, size, model.config.in_chans]);
      const ours = formRunner(reference, exported);
      const runner = await COREML.open!(exported.files, exported.main, { threads: 1 });
      const gaps = compareLogits(await ours.logits(images), await runner.logits(images), 2);
      await runner.dispose();
      const largest = Math.max(...gaps.map(({ maxAbs }) => maxAbs));
      expect(largest).toBeGreaterThan(0.05);
      expect(Math.max(...gaps.map(({ difference }) => difference)) / largest).toBeLessThan(FORMAT_BOUNDS[precision]);
      expect(runner.description).toMatch(/read back and computed by mobileone's wasm engine.*needs a Mac/);
    },
  );

  test.skipIf(!hasReleased).each(precisions)(
    "Apple's published S0 gives the known answers to photos (skipped without ../shared), %s",
    async (precision) => {
      const { model, photos } = await releasedS0();
      const { files, main } = await COREML.encode(model, { precision });
      const runner = await COREML.open!(files, main);
      let furthest = 0;
      for (const { image, top5 } of photos) {
        const probabilities = softmax((await runner.logits(image)).data);
        expect(topK(probabilities, 1)[0]).toBe(top5[0]![0]);
        for (const [label, probability] of top5)
          furthest = Math.max(furthest, Math.abs(probabilities[label]! - probability));
      }
      await runner.dispose();
      expect(furthest).toBeLessThan(FORMAT_BOUNDS[precision]);
    },
  );

  test('the same model gives the same bytes, half the size in fp16, and every weight to the bit', async () => {
    const model = tinyModel();
    const [half, again] = [await COREML.encode(model), await COREML.encode(model)];
    expect(half.files).toEqual(again.files);
    expect([...half.files.keys()]).toEqual([
      'model.mlpackage/Manifest.json',
      `model.mlpackage/${MODEL_PATH}`,
      `model.mlpackage/${WEIGHTS_PATH}`,
    ]);
    const { state } = await fromCoreml(half.files, 'model.mlpackage');
    const full = await fromCoreml((await COREML.encode(model, { precision: 'fp32' })).files, 'model.mlpackage');
    for (const [name, { data }] of half.state) {
      const own = name.replaceAll(/\W/g, '_');
      expect(full.state.get(own)!.data).toEqual(data);
      expect(state.get(own)!.data).toEqual(fromFloat16(toFloat16(data)));
    }
  });
});

describe('what a file says of itself', () => {
  const describe_ = async (model: ModelFile, options: ExportOptions = {}) => {
    const { files, main } = await COREML.encode(model, options);
    return {
      ...(await decodeMessage('Model', files.get(`${main}/${MODEL_PATH}`)!)),
      read: await fromCoreml(files, main),
    };
  };

  test("a classifier takes a picture of 224 × 224, RGB, as Apple's published file does, and names the class", async () => {
    const model = { ...tinyModel(3, { info: { author: 'A. Uthor', license: 'CC0' } }), variant: 's0' };
    const { specificationVersion, description, read } = await describe_(model, { size: 224 });
    expect(specificationVersion).toBe(6);
    expect(description!.input).toEqual([
      {
        name: 'image',
        shortDescription: expect.stringContaining('RGB picture, 224 × 224'),
        type: { imageType: { width: 224, height: 224, colorSpace: 20 } },
      },
    ]);
    expect(description!.output!.map(({ name, type }) => [name, type])).toEqual([
      ['classLabel', { stringType: {} }],
      ['classLabel_probs', { dictionaryType: { stringKeyType: {} } }],
      ['logits', { multiArrayType: { shape: [1, 12], dataType: 65568 } }],
    ]);
    expect(description!.predictedFeatureName).toBe('classLabel');
    expect(description!.predictedProbabilitiesName).toBe('classLabel_probs');
    const { userDefined, shortDescription, ...metadata } = description!.metadata!;
    expect(metadata).toEqual({
      author: 'A. Uthor',
      license: 'CC0',
      versionString: expect.stringMatching(/^[0-9a-f]{12}$/),
    });
    expect(shortDescription).toMatch(/^MobileOne-S0, 12 classes\. .*short side to 256 px/);
    expect(JSON.parse(userDefined!['mobileone.labels']!)).toEqual(model.classes);
    expect(userDefined).toMatchObject({
      'mobileone.form': 'fused',
      'mobileone.task': 'single_label_classification',
      'mobileone.weights_sha256': expect.stringMatching(/^\w{64}$/),
      'mobileone.created_with': expect.stringMatching(/^mobileone /),
    });
    expect(JSON.parse(userDefined!['mobileone.preprocessing']!)).toEqual({ ...model.preprocessing, size: 224 });
    expect(read.labels).toEqual(model.classes);
    const results = await run(reference, read.graph, read.state, { image: pictures([1, 224, 224, 3]) });
    const sum = Array.from(results.classLabel_probs!.data).reduce((total, value) => total + value, 0);
    expect(sum).toBeCloseTo(1, 9);
  });

  test.each([
    [1, {}, { imageType: { width: 37, height: 37, colorSpace: 10 } }],
    [2, {}, { multiArrayType: { shape: [1, 2, 37, 37], dataType: 65568 } }],
    [4, {}, { multiArrayType: { shape: [1, 4, 37, 37], dataType: 65568 } }],
    [3, { preprocessing: false }, { multiArrayType: { shape: [1, 3, 37, 37], dataType: 65568 } }],
  ])('the input of %i channels, %j', async (channels, options, type) => {
    const { description } = await describe_(tinyModel(channels), options);
    expect(description!.input![0]!.type).toEqual(type);
  });

  test('a model for several labels gives probabilities, each on its own', async () => {
    const { description, read } = await describe_(tinyModel(3, { multiLabel: true }));
    expect(description!.output!.map(({ name }) => name)).toEqual(['probabilities', 'logits']);
    expect(description!.predictedFeatureName).toBeUndefined();
    expect(description!.metadata!.userDefined!['mobileone.task']).toBe('multi_label_classification');
    const { probabilities, logits } = await run(reference, read.graph, read.state, { image: pictures([1, 37, 37, 3]) });
    logits!.data.forEach((value, i) => {
      expect(probabilities!.data[i]).toBeCloseTo(1 / (1 + Math.exp(-value)), 9);
    });
  });

  test('labels that occur twice are told apart', () => {
    expect(distinct(['crane', 'cat', 'crane', 'crane (0)'])).toEqual([
      'crane (0) (0)',
      'cat',
      'crane (2)',
      'crane (0)',
    ]);
  });
});

describe('operations', () => {
  test.each(['fp16', 'fp32'] as const)('paddings, strides, groups and dilations of convolutions, %s', async (type) => {
    for (const [kernel, dilation, stride, size] of [
      [3, 1, 2, 9],
      [5, 1, 1, 8],
      [3, 2, 2, 11],
      [1, 1, 1, 7],
    ] as const) {
      const g = graphBuilder('paddings');
      const x = g.input('input', [1, 4, size, size]);
      const attrs = convAttrs(kernel, stride, 1, dilation);
      const uneven = { ...attrs, pads: [0, 1, 2, 3] as const };
      const dense = g.op('Relu', 'act', [g.conv('dense', x, 6, 4, attrs)], {});
      const outputs = { dense, uneven: g.conv('uneven', x, 6, 4, uneven) };
      const graph = g.build({
        ...outputs,
        'depth.wise': g.conv('depthwise', x, 4, 4, convAttrs(kernel, stride, 4, dilation)),
      });
      await expectSame(graph, lively(graph, 5), { input: noise([1, 4, size, size], 6) }, type);
    }
  });

  test.each(['fp16', 'fp32'] as const)(
    'features; sums, products and softmax; an input and a value as two outputs, %s',
    async (type) => {
      const features = mobileOne({ ...tinyModel().config }, { features: true });
      await expectSame(features, lively(features, 2), { input: noise([1, 3, 37, 45], 3) }, type, {
        N: 1,
        H: 37,
        W: 45,
      });
      const g = graphBuilder('others');
      const x = g.input('0.x', [1, 5, 2, 2]);
      const pooled = g.op('GlobalAveragePool', '0_x', [x], {});
      const sum = g.op('Add', 'sum', [x, g.op('Mul', 'product', [x, g.op('Sigmoid', 'gate', [pooled], {})], {})], {});
      const soft = g.op('Softmax', 'soft', [g.op('Flatten', 'flat', [pooled], {})], {});
      await expectSame(g.build({ x, sum, soft, again: soft }), new Map(), { '0.x': noise([1, 5, 2, 2], 7) }, type);
    },
  );

  async function expectSame(
    graph: Graph,
    state: StateDict,
    feeds: Record<string, Tensor>,
    type: Precision,
    dims: Record<string, number> = {},
  ): Promise<void> {
    const program = await reference.compile(graph, { dims });
    loadState(program, state);
    const expected = await program.run(feeds);
    const read = await fromCoreml(await toCoreml(graph, state, { dims, type }));
    const actual = await run(reference, read.graph, read.state, {
      [read.graph.inputs[0]!.name]: Object.values(feeds)[0]!,
    });
    for (const [name, value] of Object.entries(expected))
      expect(relativeError(actual[name.replaceAll(/\W/g, '_')]!, value), name).toBeLessThan(FORMAT_BOUNDS[type]);
  }
});

describe('refusals', () => {
  const model = tinyModel();
  test.each([
    [{ dynamicBatch: true }, /one picture at a time/],
    [{ dynamicSize: true }, /one size of picture/],
    [{ layout: 'nhwc' }, /no other layout/],
    [{ size: 31 }, /at least 32/],
    [{ precision: 'int8' as Precision }, /fp16 or fp32, not int8/],
  ] as const)('the option %j', async (options, message) => {
    await expect(COREML.encode(model, options)).rejects.toThrow(message);
    await expect(COREML.encode(model, options)).rejects.toBeInstanceOf(UserError);
  });

  test('weights beyond half precision, and a fused model as train form', async () => {
    const state = new Map(model.state).set('head.fc.bias', { shape: [12], data: new Float32Array(12).fill(65_520) });
    await expect(COREML.encode({ ...model, state })).rejects.toThrow(/"head.fc.bias" holds 6.552e\+4.*half precision/);
    await COREML.encode({ ...model, state }, { precision: 'fp32' });
    const fused = { ...model, form: 'fused' } as const;
    await expect(COREML.encode(fused, { form: 'train' })).rejects.toThrow(/is fused, and the train form is needed/);
  });

  test('graphs that are no inference, and labels that do not fit', async () => {
    const dims = { N: 1, H: 32, W: 32 };
    const graph = trainMode(model.graph);
    await expect(toCoreml(graph, model.state, { dims })).rejects.toThrow(/"stem" \(RepConv\) is in train mode/);
    await expect(toCoreml(model.graph, new Map(), { dims })).rejects.toThrow(/lacks the parameter "stem/);
    const decision = { labels: ['a'], answer: 'one' } as const;
    await expect(toCoreml(model.graph, model.state, { dims, decision })).rejects.toThrow(/logits \[1, 1\]/);
  });

  test('pictures of another size, runtimes that there are not', async () => {
    const { files, main } = await COREML.encode(model);
    const runner = await COREML.open!(files, main);
    await expect(runner.logits(pictures([1, 32, 32, 3]))).rejects.toThrow(
      /are \[32, 32, 3\], the file takes \[37, 37, 3\]/,
    );
    await runner.dispose();
    await expect(COREML.open!(files, main, { runtime: 'coreml' })).rejects.toThrow(/wasm or reference, not by coreml/);
    await expect(COREML.open!(files, 'elsewhere')).rejects.toThrow(/no Core ML package.*no Manifest.json/);
  });

  test('two hundred damaged packages: opened, or refused with a UserError', async () => {
    const { accepted, refused, crashes } = await fuzz(200, 11);
    expect(crashes).toEqual([]);
    expect(accepted).toBeGreaterThan(5);
    expect(refused).toBeGreaterThan(50);
  });
});
