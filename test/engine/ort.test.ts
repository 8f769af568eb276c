/** ONNX Runtime as an engine, and exported files, against the float64 reference. */
import { describe, expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { loadState } from '../../src/engine/engine.ts';
import { toOnnx } from '../../src/engine/onnx/to-onnx.ts';
import { openOnnx, ortEngine } from '../../src/engine/ort-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { trainMode } from '../../src/step/train-step.ts';

const TOLERANCE = 1e-4;
const NORM = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
const TINY: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 1, 1],
  widths: [0.2, 0.15, 0.1, 0.1],
  se_blocks: [0, 0, 1, 1],
  num_conv_branches: 2,
  num_classes: 7,
};

/** A state in which nothing is at its neutral value. */
function lively(graph: Graph, seed: number): StateDict {
  const state = new Map(initialState(graph, seed));
  for (const [name, { role, shape }] of Object.entries(graph.params)) {
    if (role === 'weight') continue;
    const rng = random(seed, name.length);
    const around = role === 'norm_weight' || role === 'running_var' ? 1 : 0;
    state.set(name, { shape, data: new Float32Array(sizeOf(shape)).map(() => around + 0.3 * (rng.uniform() - 0.5)) });
  }
  return state;
}

function photos(shape: readonly number[], seed = 1): Tensor {
  const rng = random(seed);
  return { shape, data: Uint8Array.from({ length: sizeOf(shape) }, () => rng.int(256)) };
}

function relativeError(actual: Tensor, expected: Tensor): number {
  expect(actual.shape).toEqual(expected.shape);
  const largest = Math.max(...Array.from(expected.data, Math.abs));
  return Math.max(...Array.from(expected.data, (value, i) => Math.abs(value - actual.data[i]!))) / largest;
}

async function expectSame(
  graph: Graph,
  state: StateDict,
  feeds: Record<string, Tensor>,
  dims: Record<string, number>,
): Promise<void> {
  const engines = [createReferenceEngine(), await ortEngine()];
  const results: Record<string, Tensor>[] = [];
  for (const engine of engines) {
    const program = await engine.compile(graph, { dims });
    expect(loadState(program, state)).toEqual([]);
    results.push(await program.run(feeds));
    await program.dispose();
  }
  const [expected, actual] = results as [Record<string, Tensor>, Record<string, Tensor>];
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const name of Object.keys(expected)) {
    expect(relativeError(actual[name]!, expected[name]!), name).toBeLessThan(TOLERANCE);
  }
}

describe('the ort engine', () => {
  test('runs the train form in evaluation, with squeeze-and-excite, odd sizes and features', async () => {
    const graph = withPreprocess(mobileOne(TINY, { features: true }), NORM);
    await expectSame(graph, lively(graph, 1), { image: photos([2, 37, 45, 3]) }, { N: 2, H: 37, W: 45 });
  });

  test('runs the fused form', async () => {
    const graph = mobileOne(TINY);
    const fused = fuse(graph, lively(graph, 2));
    const input = { shape: [1, 3, 33, 32], data: Float32Array.from({ length: 3 * 33 * 32 }, (_, i) => Math.sin(i)) };
    await expectSame(fused.graph, fused.state, { input }, { N: 1, H: 33, W: 32 });
  });

  test('runs softmax and additions, and outputs that are inputs or have two names', async () => {
    const g = graphBuilder('small');
    const x = g.input('x', ['N', 5]);
    const twice = g.op('Add', 'twice', [x, x], {});
    const soft = g.op('Softmax', 'soft', [twice], {});
    const graph = g.build({ probabilities: soft, again: soft, same: x });
    const data = Float32Array.from({ length: 10 }, (_, i) => Math.cos(i));
    await expectSame(graph, new Map(), { x: { shape: [2, 5], data } }, { N: 2 });
  });

  test('uses new weights after a write, and refuses training graphs and wrong feeds by name', async () => {
    const engine = await ortEngine();
    const graph = mobileOne(TINY);
    await expect(engine.compile(trainMode(graph), { dims: { N: 1, H: 32, W: 32 } })).rejects.toThrow(
      /stem \(RepConv, training\)/,
    );
    const { graph: fused, state } = fuse(graph, lively(graph, 3));
    const program = await engine.compile(fused, { dims: { N: 1, H: 32, W: 32 } });
    loadState(program, state);
    const input = { shape: [1, 3, 32, 32], data: new Float32Array(3072).fill(0.5) };
    const first = await program.run({ input });
    program.write('head.fc.bias', { shape: [7], data: new Float32Array(7).fill(100) });
    const second = await program.run({ input });
    const bias = state.get('head.fc.bias')!.data;
    second.logits!.data.forEach((value, i) => {
      expect(value).toBeCloseTo(first.logits!.data[i]! - bias[i]! + 100, 3);
    });
    expect(program.read('head.fc.bias').data[0]).toBe(100);
    await expect(program.run({})).rejects.toThrow(/"input" is missing/);
    await expect(program.run({ input: { shape: [1, 3, 16, 16], data: new Float32Array(768) } })).rejects.toThrow(
      /shape/,
    );
    await program.dispose();
  });
});

describe('files', () => {
  test('unreadable files give a clear message', async () => {
    await expect(openOnnx(Uint8Array.of(1, 2, 3))).rejects.toThrow(/can't be opened by ONNX Runtime/);
    const bytes = await toOnnx(mobileOne(TINY), lively(mobileOne(TINY), 5));
    await expect(openOnnx(bytes.subarray(0, bytes.length >> 1))).rejects.toThrow(/can't be opened/);
  });
});
