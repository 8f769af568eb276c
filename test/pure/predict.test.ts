/** Latency as the sum of layers: what a layer is, how its time is found, and what is predicted from it. */
import { expect, test } from 'vitest';
import { type LayerTime, layerGraph, layersOf, workOf } from '../../src/bench/predict/layers.ts';
import { layerTable, predictLatency } from '../../src/bench/predict/predict.ts';
import { timeLayers } from '../../src/bench/predict/time-layers.ts';
import { shortProtocol } from '../../src/bench/protocol.ts';
import { type Engine, loadState } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { bind, type Dims } from '../../src/graph/bind.ts';
import { cost } from '../../src/graph/cost.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { DEFAULT_PREPROCESSING } from '../../src/images/preprocess.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { modelConfig } from '../../src/models/registry.ts';

/** The fused graph with its preprocessing, for one image. */
function fused(config: MobileOneConfig, size: number): readonly [Graph, Dims] {
  return [withPreprocess(fuseGraph(mobileOne(config)), DEFAULT_PREPROCESSING), { N: 1, H: size, W: size }];
}
const TINY = modelConfig('s0', { depths: [1, 2, 1, 1], widths: [0.25, 0.25, 0.25, 0.125], num_classes: 5 });

test.each(Object.keys(VARIANTS))(
  'the layers of %s are its nodes but the fused ReLUs, with all of its multiply-adds',
  (variant) => {
    const [graph, dims] = fused(modelConfig(variant), 64);
    const layers = layersOf(graph, dims);
    const relus = graph.nodes.filter(({ kind }) => kind === 'Relu').length;
    const inside = layers.filter(({ nodes }) => nodes.length === 2).length;
    // In blocks with squeeze-and-excitation the Relu stands behind a Mul, and remains a layer.
    expect(layers.length).toBe(graph.nodes.length - inside);
    expect(inside).toBeLessThanOrEqual(relus);
    expect(layers.reduce((sum, { macs }) => sum + macs, 0)).toBe(cost(bind(graph, dims)).macs);
    expect(new Set(layers.map(({ key }) => key)).size).toBeLessThan(layers.length);
    for (const layer of layers) bind(layerGraph(layer, 3), {});
  },
);

test('a layer is named by what its time depends on', () => {
  const keys = layersOf(...fused(TINY, 32)).map(({ key, kind }) => [key, kind]);
  expect(keys[0]).toEqual(['Preprocess [1,32,32,3] → [1,3,32,32]', 'Preprocess']);
  expect(keys[1]).toEqual(['Conv 3x3 s2x2 [1,3,32,32] → [1,16,16,16] Relu', 'Conv 3x3 s2']);
  expect(keys[2]).toEqual(['Conv 3x3 s2x2 g16 [1,16,16,16] → [1,16,8,8] Relu', 'Conv 3x3 depthwise s2']);
  expect(keys.at(-1)).toEqual(['Gemm [1,64] → [1,5]', 'Gemm']);
});

test('copies of a layer stand side by side, each with its own weights, and give what one gives', async () => {
  const layers = layersOf(...fused(TINY, 32));
  const depthwise = layers.find(({ kind }) => kind === 'Conv 3x3 depthwise s2')!;
  const three = layerGraph(depthwise, 3);
  expect(three.nodes).toHaveLength(6);
  expect(Object.keys(three.params)).toHaveLength(6);
  const engine = createReferenceEngine();
  const input = { shape: [1, 16, 16, 16], data: Float32Array.from({ length: 4096 }, (_, i) => Math.sin(i)) };
  const outputs: ArrayLike<number>[] = [];
  for (const copies of [1, 3]) {
    const graph = layerGraph(depthwise, copies);
    const program = await engine.compile(graph, { dims: {} });
    // Copy i has weights of its own: the last one gets what the only one gets.
    const single = initialState(layerGraph(depthwise, 1), 5);
    const state = new Map([...single].map(([name, value]) => [name.replace('/0', `/${copies - 1}`), value]));
    loadState(program, state);
    outputs.push((await program.run({ [depthwise.inputs[0]!.name]: input })).output!.data);
  }
  expect(outputs[0]).toEqual(outputs[1]);
});

/** An engine whose runs take what its nodes are said to take, and 3 ms for the call. */
function sayingEngine(time: (node: string) => number): { engine: Engine; clock: () => number } {
  let now = 0;
  const engine: Engine = {
    name: 'saying',
    capabilities: () => ({ ops: new Set(), description: 'saying', threads: 1 }),
    compile: async (graph) => ({
      async run() {
        now += 3 + graph.nodes.reduce((sum, { name }) => sum + time(name.replace(/\/\d+$/, '')), 0);
        return {};
      },
      ...{ read: () => ({ shape: [], data: new Float32Array(1) }), write: () => {}, stateNames: [] },
      ...{ memory: { state: 0, activations: 0 }, dispose: async () => {} },
    }),
  };
  return { engine, clock: () => now };
}

test('timing finds what each layer takes, without the call, and their sum is the whole', async () => {
  const [graph, dims] = fused(TINY, 32);
  const layers = layersOf(graph, dims);
  const said = new Map(
    layers.flatMap(({ nodes, macs }) => nodes.map(({ name }, i) => [name, i === 0 ? 0.1 + macs / 1e5 : 0])),
  );
  const { engine, clock } = sayingEngine((name) => said.get(name) ?? 0);
  const heard: string[] = [];
  const times = await timeLayers(engine, layers, {
    ...{ threads: 1, clock, protocol: shortProtocol(3, 5) },
    onLayer: (done, total) => heard.push(`${done}/${total}`),
  });
  const distinct = new Set(layers.map(({ key }) => key)).size;
  expect(times).toHaveLength(distinct);
  expect(heard.at(-1)).toBe(`${distinct}/${distinct}`);
  for (const { layer, mean } of times.slice(1)) expect(mean).toBeCloseTo(0.1 + layer.macs / 1e5, 6);
  const whole = 3 + layers.reduce((sum, { nodes: [node] }) => sum + said.get(node.name)!, 0);
  const { milliseconds, interval, measured, unknown, kinds } = predictLatency(layers, layerTable(times));
  expect(milliseconds).toBeCloseTo(whole, 6);
  expect([measured, unknown]).toEqual([1, []]);
  expect(interval[0] <= milliseconds && milliseconds <= interval[1]).toBe(true);
  expect(kinds.reduce((sum, one) => sum + one.milliseconds, 0)).toBeCloseTo(whole, 6);
  expect(kinds.reduce((sum, one) => sum + one.layers, 0)).toBe(layers.length);
});

test('a layer that was not measured is estimated by its like; one of an unknown kind after others, and is named', () => {
  const sizes = [32, 48, 64, 96, 128];
  const all = sizes.map((size) => layersOf(...fused(TINY, size)));
  // A device that does 1 Gmac/s.
  const time = (layer: LayerTime['layer']): LayerTime => {
    const mean = workOf(layer) / 1e6;
    return { layer, mean, interval: [0.9 * mean, 1.1 * mean] };
  };
  const table = layerTable(all.filter((_, i) => i !== 2).flatMap((layers) => layers.map(time)));
  const { milliseconds, measured, unknown } = predictLatency(all[2]!, table);
  const truth = all[2]!.reduce((sum, layer) => sum + time(layer).mean, 0);
  expect(Math.abs(milliseconds / truth - 1)).toBeLessThan(0.01);
  expect(measured).toBeLessThan(0.5);
  expect(unknown).toEqual([]);
  const bare = predictLatency(all[0]!, layerTable([time(all[0]![1]!)]));
  expect(bare.unknown).toContain('Gemm [1,64] → [1,5]');
  // On a device of one speed even other kinds tell the time.
  expect(bare.milliseconds).toBeCloseTo(
    all[0]!.reduce((sum, layer) => sum + time(layer).mean, 0),
    6,
  );
  expect(predictLatency([], new Map())).toMatchObject({ milliseconds: 0, measured: 1 });
});

test('a kind that nobody measured is estimated by its class before anything else', () => {
  const layer = { inputs: [], params: {}, nodes: [{}] as never };
  const work = { macs: 8e6, bytes: 1e6 };
  const time = (kind: string, mean: number): LayerTime => ({
    ...{ layer: { key: kind, kind, ...work }, mean, interval: [mean, mean] },
  });
  const table = layerTable([time('Conv 3x3 depthwise s1', 5), time('Conv 1x1 s1', 2), time('Swish', 9)]);
  for (const [kind, mean] of [
    ['Conv 5x5 depthwise s2', 5],
    ['MatMul', 2],
    ['HardSwish', 9],
  ] as const) {
    const { milliseconds, unknown } = predictLatency([{ ...layer, key: `${kind} new`, kind, ...work }], table);
    expect(milliseconds).toBeCloseTo(mean, 9);
    expect(unknown).toEqual([`${kind} new`]);
  }
});
