/** Input gradients of dense convolutions that see their input as patches, against the reference, on random shapes. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { bind } from '../../src/graph/bind.ts';
import { convAttrs, graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import type { ConvAttrs, RepConvAttrs } from '../../src/graph/kinds.ts';
import { blockAttrs } from '../../src/models/mobileone.ts';
import { rounds } from '../rounds.ts';
import { expectAgreement, runOn } from './cases/agreement.ts';
import { stepCase } from './cases/models.ts';
import { everySetup } from './cases/setups.ts';

const CLASSES = 4;
const size = fc.integer({ min: 5, max: 13 });
const channels = fc.integer({ min: 2, max: 20 });
const images = fc.integer({ min: 2, max: 4 });
const stride = fc.constantFrom<1 | 2>(1, 2);
const dilation = fc.constantFrom(1, 2);
const seed = fc.integer({ min: 0, max: 1000 });

/** What stands before the convolution under test: a ReLU read by it alone, another activation, a ReLU that others read. */
const before = fc.constantFrom<Before>('relu', 'sigmoid', 'shared');
type Before = 'relu' | 'sigmoid' | 'shared';

/** The operation under test between a stem (a RepConv, or a plain convolution) and a head, so that its input needs a gradient. */
function around(
  inChannels: number,
  outChannels: number,
  what: Before,
  block: (g: Builder, x: string) => string,
  plain = false,
): Graph {
  const g = graphBuilder('one');
  const image = g.input('input', ['N', 3, 'H', 'W']);
  const stem = plain
    ? g.conv('stem', image, inChannels, 3, convAttrs(3))
    : g.repConv('stem', image, blockAttrs(3, inChannels, 1));
  const x = g.op(what === 'sigmoid' ? 'Sigmoid' : 'Relu', 'stem.act', [stem], {});
  const y = g.op('Relu', 'block.act', [block(g, x)], {});
  const flat = (name: string, value: string): string =>
    g.op('Flatten', `${name}.flat`, [g.op('GlobalAveragePool', `${name}.pool`, [value], {})], {});
  const head = (name: string, value: string, features: number): string => {
    const roles = { weight: `${name}.weight`, bias: `${name}.bias` };
    g.declare({ [roles.weight]: { shape: [CLASSES, features], role: 'weight' } });
    g.declare({ [roles.bias]: { shape: [CLASSES], role: 'bias' } });
    return g.op('Gemm', name, [flat(name, value)], {}, roles);
  };
  const logits = head('head', y, outChannels);
  const shared = what === 'shared' ? g.op('Add', 'sum', [logits, head('side', x, inChannels)], {}) : logits;
  return g.build({ logits: shared });
}

type Builder = ReturnType<typeof graphBuilder>;

test('dense RepConv: kernels 1, 3 and 5, strides, dilations, odd sizes', async () => {
  const on = await everySetup();
  const kernel = fc.constantFrom(1, 3, 5);
  const cases = fc.asyncProperty(
    fc.record({ kernel, stride, dilation, before, images, seed, h: size, w: size }),
    fc.record({ from: channels, to: channels, k: fc.integer({ min: 1, max: 3 }) }),
    async ({ kernel, stride, dilation, before, images: N, seed, h: H, w: W }, { from, to, k }) => {
      const attrs: RepConvAttrs = {
        ...blockAttrs(from, to, kernel === 1 ? 1 : 3, { stride, dilation, num_conv_branches: k }),
        kernel_size: kernel as 3, // the paper's are 1 and 3; the engines take any odd one
      };
      const model = around(from, to, before, (g, x) => g.repConv('block', x, attrs));
      await expectAgreement(on, stepCase(model, CLASSES, { N, H, W }, 3, seed));
    },
  );
  await fc.assert(cases, { numRuns: rounds(25), seed: 1 });
});

test('plain Conv: any kernel and padding, strides, dilations, odd sizes', async () => {
  const on = await everySetup();
  const taps = fc.constantFrom(1, 2, 3, 5);
  const pad = fc.integer({ min: 0, max: 3 });
  const cases = fc.asyncProperty(
    fc.record({ stride: fc.constantFrom(1, 2, 3), dilation, before, images, seed, h: size, w: size }),
    fc.record({ from: channels, to: channels, kernel: fc.tuple(taps, taps), pads: fc.tuple(pad, pad, pad, pad) }),
    async ({ stride, dilation, before, images: N, seed, h: H, w: W }, { from, to, kernel, pads }) => {
      const attrs: ConvAttrs = {
        kernel_shape: kernel,
        strides: [stride, stride],
        pads,
        dilations: [dilation, dilation],
        group: 1,
      };
      const model = around(from, to, before, (g, x) => g.conv('block', x, to, from, attrs));
      fc.pre(fits(model, { N, H, W }));
      await expectAgreement(on, stepCase(model, CLASSES, { N, H, W }, 3, seed));
    },
  );
  await fc.assert(cases, { numRuns: rounds(25), seed: 2 });
});

test('many positions: raw moments instead of centered rows', async () => {
  const on = await everySetup();
  for (const step of [1, 2] as const) {
    const attrs = blockAttrs(12, 16, 3, { stride: step, num_conv_branches: 2 });
    const model = around(12, 16, 'relu', (g, x) => g.repConv('block', x, attrs));
    await expectAgreement(on, stepCase(model, CLASSES, { N: 3, H: 59, W: 61 }, 3, 7));
  }
});

function fits(model: Graph, dims: Record<string, number>): boolean {
  try {
    bind(model, dims);
    return true;
  } catch {
    return false;
  }
}

test('what a fold gathers has the same bits on any number of threads', async () => {
  const block = (g: Builder, x: string): string => g.conv('block', x, 16, 16, convAttrs(3, 2));
  const model = around(16, 16, 'relu', block, true);
  const one = stepCase(model, CLASSES, { N: 3, H: 17, W: 15 }, 3, 5);
  // With a plain stem nothing before this gradient is a sum over threads.
  const graph = { ...one.graph, outputs: { dx: 'block.dx' } };
  const results = [];
  for (const threads of [1, 2, 3]) {
    const [{ dx }, program] = await runOn(await nodeWasmEngine({ threads }), { ...one, graph }, threads);
    results.push(dx!.data);
    await program.dispose();
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

test('a plain convolution in groups has no gradient yet: refused, naming the node', async () => {
  const attrs: ConvAttrs = {
    kernel_shape: [3, 3],
    strides: [1, 1],
    pads: [1, 1, 1, 1],
    dilations: [1, 1],
    group: 8,
  };
  const model = around(8, 8, 'relu', (g, x) => g.conv('grouped', x, 8, 8, attrs));
  const { graph, dims } = stepCase(model, CLASSES, { N: 2, H: 8, W: 8 }, 3, 1);
  await expect((await nodeWasmEngine()).compile(graph, { dims })).rejects.toThrow(/"grouped\.grad".*in groups.*8/);
});
