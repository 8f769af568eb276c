import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import { hashText, random } from '../../src/core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../../src/core/tensor.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse, type Model } from '../../src/reparam/fuse.ts';
import { compareForms, type Proof, prove } from '../../src/reparam/prove.ts';

let engine: Engine;
beforeAll(() => {
  engine = createReferenceEngine();
});

/** Weights and statistics as a trained network might have them: nothing is 0 or 1. */
function trainedState(graph: Graph, seed: number): StateDict {
  const state = new Map(initialState(graph, seed));
  for (const [name, { shape, role }] of Object.entries(graph.params)) {
    if (role === 'weight') continue;
    const rng = random(seed, hashText(name));
    const draw =
      role === 'norm_weight' || role === 'running_var' ? () => 0.5 + rng.uniform() : () => 0.3 * rng.normal();
    state.set(name, { shape, data: Float32Array.from({ length: sizeOf(shape) }, draw) });
  }
  return state;
}

function noise(shape: readonly number[], seed: number): Tensor {
  const rng = random(seed);
  return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => rng.normal()) };
}

function photos(shape: readonly number[], seed: number): Tensor {
  const rng = random(seed);
  return { shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => rng.int(256)) };
}

const four = <T>(item: fc.Arbitrary<T>): fc.Arbitrary<[T, T, T, T]> => fc.tuple(item, item, item, item);
const anyConfig: fc.Arbitrary<MobileOneConfig> = fc
  .record({
    depths: four(fc.integer({ min: 1, max: 2 })),
    widths: fc.tuple(
      fc.constantFrom(0.0625, 0.09375),
      fc.constantFrom(0.03125, 0.0390625),
      fc.constantFrom(0.015625, 0.03125),
      fc.constantFrom(0.015625, 0.01953125),
    ),
    num_conv_branches: fc.integer({ min: 1, max: 4 }),
    se: four(fc.boolean()),
    rd_divisor: fc.constantFrom(1, 8),
    num_classes: fc.integer({ min: 2, max: 5 }),
    in_chans: fc.constantFrom(1, 3, 4),
  })
  .map(({ se, ...config }) => ({
    ...config,
    se_blocks: config.depths.map((depth, i) => (se[i] ? depth : 0)) as [number, number, number, number],
  }));

test('fused logits equal those of the branches: k = 1 … 4, SE, odd sizes, any channels', async () => {
  await fc.assert(
    fc.asyncProperty(
      anyConfig,
      fc.integer({ min: 33, max: 45 }),
      fc.integer({ min: 33, max: 45 }),
      fc.nat(),
      async (config, height, width, seed) => {
        const graph = mobileOne(config);
        const model = { graph, state: trainedState(graph, seed) };
        const images = noise([2, config.in_chans, height, width], seed);
        const proof = await prove(engine, model, fuse(graph, model.state), [images], { bound: 1e-5 });
        expect(proof).toMatchObject({ images: 2, passed: true });
      },
    ),
    { numRuns: 12 },
  );
});

const config: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 1, 1],
  widths: [0.125, 0.0625, 0.03125, 0.015625],
  se_blocks: [0, 0, 1, 0],
  num_conv_branches: 2,
  num_classes: 4,
};
const graph = mobileOne(config);
const model: Model = { graph, state: trainedState(graph, 1) };

test('a proof on uint8 images, in batches of several sizes, is plain data', async () => {
  const inside = (each: Graph): Graph => withPreprocess(each, { mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.3] });
  const fused = fuse(graph, model.state);
  const batches = async function* (): AsyncGenerator<Tensor | { images: Tensor; count: number }> {
    yield photos([3, 40, 33, 3], 1);
    yield { images: photos([3, 40, 33, 3], 2), count: 2 };
    yield photos([1, 48, 48, 3], 3);
  };
  const proof = await prove(
    engine,
    { ...model, graph: inside(graph) },
    { ...fused, graph: inside(fused.graph) },
    batches(),
  );
  expect(proof.images).toBe(6);
  expect(proof.top1Agreement).toBe(100);
  expect(proof.bound).toBe(1e-4);
  expect(proof.relativeDifference).toBeLessThan(1e-5);
  expect(proof.maxAbsLogit).toBeGreaterThan(0);
  expect(proof.engine).toBe(engine.capabilities().description);
  expect(JSON.parse(JSON.stringify(proof))).toEqual(proof);
});

/** The fused model with one parameter changed by `edit`. */
function changed(name: string, edit: (value: number, index: number) => number): Model {
  const fused = fuse(graph, model.state);
  const { shape, data } = fused.state.get(name)!;
  return {
    graph: fused.graph,
    state: new Map(fused.state).set(name, { shape, data: Float32Array.from(data as Float32Array, edit) }),
  };
}

const images = noise([4, 3, 40, 40], 7);
const check = (fused: Model, bound?: number): Promise<Proof> =>
  compareForms(engine, model, fused, [images], bound === undefined ? {} : { bound });

test('a fused model that differs does not pass, and the message says by how much', async () => {
  const wrong = changed('stages.1.0.reparam_conv.bias', (value) => value + 0.5);
  expect(await check(wrong)).toMatchObject({ passed: false, images: 4 });
  const failing = prove(engine, model, wrong, [images]);
  await expect(failing).rejects.toThrow(UserError);
  await expect(failing).rejects.toThrow(/logits differ by up to .* of the largest logit \(allowed: 1\.0e-4\)/);
});

test('weights that are not numbers never pass', async () => {
  expect(
    (
      await check(
        changed('head.fc.bias', () => Number.NaN),
        Number.MAX_VALUE,
      )
    ).passed,
  ).toBe(false);
});

test('the classes may differ only where two are as good as equal', async () => {
  // All classes but the first are made equal and far above it; a small push then changes the first class.
  const level = (_: number, i: number): number => (i === 0 ? -100 : 100);
  const tied: Model = {
    graph,
    state: new Map(model.state)
      .set('head.fc.weight', { ...model.state.get('head.fc.weight')!, data: new Float32Array(4 * 8) })
      .set('head.fc.bias', { shape: [4], data: Float32Array.from([0, 1, 2, 3], level) }),
  };
  const fused = fuse(tied.graph, tied.state);
  const push = (by: number): Model => ({
    ...fused,
    state: new Map(fused.state).set('head.fc.bias', { shape: [4], data: Float32Array.of(-100, 100, 100 + by, 100) }),
  });
  const tie = await compareForms(engine, tied, push(0.005), [images]);
  expect(tie).toMatchObject({ top1Agreement: 0, ties: 4, passed: true });
  expect(await compareForms(engine, tied, push(0.5), [images])).toMatchObject({ top1Agreement: 0, passed: false });
});

test('no images, wrong channels and other classes are told', async () => {
  const fused = fuse(graph, model.state);
  await expect(prove(engine, model, fused, [])).rejects.toThrow(/no images/);
  await expect(prove(engine, model, fused, [noise([1, 1, 40, 40], 1)])).rejects.toThrow(
    /the model takes \[N, 3, H, W\]/,
  );
  const otherGraph = mobileOne({ ...config, num_classes: 2 });
  const other = fuse(otherGraph, trainedState(otherGraph, 1));
  await expect(prove(engine, model, other, [images])).rejects.toThrow(/4 and 2 classes/);
});
