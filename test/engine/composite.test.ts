/** Fusing inside composite networks: RepConvs among other ops, several heads, shared weights, on every engine. */
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Tensor } from '../../src/core/tensor.ts';
import { type Engine, loadState } from '../../src/engine/engine.ts';
import { ortEngine } from '../../src/engine/ort-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { convAttrs, type GraphBuilder, graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { expandBranches } from '../../src/graph/passes/branches.ts';
import { repConvParams } from '../../src/graph/rep-conv.ts';
import { classifierHead } from '../../src/models/heads.ts';
import { blockAttrs } from '../../src/models/mobileone.ts';
import { seBlock } from '../../src/models/squeeze-excite.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { prove } from '../../src/reparam/prove.ts';
import { rounds } from '../rounds.ts';
import { lively, noise } from './cases/models.ts';

/** A step of a network: value and channels in, value and channels out. */
type Step = (
  g: GraphBuilder,
  name: string,
  x: { value: string; channels: number },
) => { value: string; channels: number };

const k = fc.integer({ min: 1, max: 3 });
/** What composite networks are made of, by itself and with RepConvs inside. */
const STEPS: readonly fc.Arbitrary<Step>[] = [
  fc
    .record({ num_conv_branches: k, stride: fc.constantFrom(1 as const, 2 as const), dilation: fc.constantFrom(1, 2) })
    .map((options) => (g, name, { value, channels }) => ({
      value: g.repConv(name, value, blockAttrs(channels, channels, 3, { ...options, groups: channels })),
      channels,
    })),
  fc
    .record({
      num_conv_branches: k,
      to: fc.integer({ min: 3, max: 6 }),
      kernel: fc.constantFrom(1 as const, 3 as const),
    })
    .map(({ num_conv_branches, to, kernel }) => (g, name, { value, channels }) => ({
      value: g.repConv(name, value, blockAttrs(channels, to, kernel, { num_conv_branches })),
      channels: to,
    })),
  fc.constant((g, name, { value, channels }) => ({ value: g.op('Relu', name, [value], {}), channels })),
  fc.integer({ min: 3, max: 6 }).map((to) => (g, name, { value, channels }) => ({
    value: g.conv(name, value, to, channels, convAttrs(3)),
    channels: to,
  })),
  fc.constant((g, name, { value, channels }) => ({ value: seBlock(g, name, value, channels, 2), channels })),
  // A residual unit around two RepConvs, and a gate made by one.
  k.map((num_conv_branches) => (g, name, { value, channels }) => {
    const attrs = blockAttrs(channels, channels, 3, { num_conv_branches });
    const inner = g.op('Relu', `${name}.act`, [g.repConv(`${name}.conv1`, value, attrs)], {});
    return { value: g.op('Add', name, [value, g.repConv(`${name}.conv2`, inner, attrs)], {}), channels };
  }),
  k.map((num_conv_branches) => (g, name, { value, channels }) => {
    const gate = g.repConv(`${name}.gate`, value, blockAttrs(channels, channels, 1, { num_conv_branches }));
    return { value: g.op('Mul', name, [value, g.op('Sigmoid', `${name}.sigmoid`, [gate], {})], {}), channels };
  }),
];

/** A backbone of such steps, a classifier on its end, and a head of boxes with RepConvs of its own on its middle. */
function composite(steps: readonly Step[]): Graph {
  const g = graphBuilder('detector');
  let x = {
    value: g.repConv('net.backbone.stem', g.input('input', ['N', 3, 'H', 'W']), blockAttrs(3, 4, 3)),
    channels: 4,
  };
  let middle = x;
  steps.forEach((step, i) => {
    x = step(g, `net.backbone.${i}`, x);
    if (i === steps.length >> 1) middle = x;
  });
  const tower = g.repConv('net.boxes.tower', middle.value, blockAttrs(middle.channels, 5, 3, { num_conv_branches: 2 }));
  const boxes = g.conv('net.boxes.out', g.op('Relu', 'net.boxes.act', [tower], {}), 4, 5, convAttrs(1));
  return g.build({ logits: classifierHead(g, 'net.head', x.value, x.channels, 3), boxes });
}

let engines: readonly Engine[] = [];
beforeAll(async () => {
  engines = [createReferenceEngine(), await nodeWasmEngine({ threads: 1 }), await ortEngine()];
});

describe('fusing inside a composite network', () => {
  test('changes none of its outputs, whatever it is made of', async () => {
    const anySteps = fc.array(fc.oneof(...STEPS), { minLength: 1, maxLength: 7 });
    await fc.assert(
      fc.asyncProperty(anySteps, fc.nat(1000), async (steps, seed) => {
        const graph = composite(steps);
        const model = { graph, state: lively(graph, seed) };
        const fused = fuse(graph, model.state);
        expect(fused.graph.nodes.some(({ kind }) => kind === 'RepConv')).toBe(false);
        expect(Object.keys(fused.graph.outputs)).toEqual(['logits', 'boxes']);
        const images = noise([2, 3, 17, 15], seed);
        for (const engine of engines) {
          for (const output of ['logits', 'boxes']) {
            const proof = await prove(engine, model, fused, [images], { output, bound: 1e-4 });
            expect(proof.images).toBe(2);
          }
        }
      }),
      { numRuns: rounds(25) },
    );
  });

  test('keeps what is shared shared, and what is not a RepConv untouched', async () => {
    const g = graphBuilder('shared');
    const x = g.input('input', ['N', 4, 'H', 'W']);
    const attrs = blockAttrs(4, 4, 3, { num_conv_branches: 2 });
    const first = g.repConv('tower', x, attrs);
    // The same tower on another level, as detectors share theirs.
    const half = g.conv('down', x, 4, 4, convAttrs(3, 2));
    const { params: roles } = repConvParams('tower', attrs);
    const second = g.op('RepConv', 'tower.again', [half], attrs, roles);
    const graph = g.build({ high: first, low: second });
    const state = lively(graph, 5);
    const fused = fuse(graph, state);
    expect(Object.keys(fused.graph.params)).toEqual([
      'tower.reparam_conv.weight',
      'tower.reparam_conv.bias',
      'down.weight',
      'down.bias',
    ]);
    expect(fused.state.get('down.weight')).toBe(state.get('down.weight'));
    for (const engine of engines) {
      for (const output of ['high', 'low'])
        expect((await prove(engine, { graph, state }, fused, [noise([2, 4, 12, 9], 1)], { output })).passed).toBe(true);
    }
  });

  test('may leave a part as it is', async () => {
    const graph = composite([]);
    const state = lively(graph, 2);
    const fused = fuse(graph, state, ({ name }) => name.startsWith('net.backbone'));
    expect(fused.graph.nodes.map(({ kind, name }) => `${kind} ${name}`)).toEqual([
      'Conv net.backbone.stem',
      'RepConv net.boxes.tower',
      'Relu net.boxes.act',
      'Conv net.boxes.out',
      'GlobalAveragePool net.head.global_pool',
      'Flatten net.head.flatten',
      'Gemm net.head.fc',
    ]);
    const engine = engines[0]!;
    const run = async (one: { graph: Graph; state: typeof state }): Promise<Record<string, Tensor>> => {
      const program = await engine.compile(one.graph, { dims: { N: 1, H: 9, W: 9 } });
      loadState(program, one.state);
      return await program.run({ input: noise([1, 3, 9, 9], 3) }).finally(() => program.dispose());
    };
    const [before, after] = [await run({ graph: expandBranches(graph), state }), await run(fused)];
    for (const output of ['logits', 'boxes'])
      after[output]!.data.forEach((value, i) => {
        expect(value).toBeCloseTo(before[output]!.data[i]!, 4);
      });
  });
});
