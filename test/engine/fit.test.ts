/** What does not fit: the largest batch that does, and plans that are tried before giving up. */
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { type CompileOptions, TooLargeError } from '../../src/engine/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { trainStep } from '../../src/step/train-step.ts';

const engine = await nodeWasmEngine({ threads: 2 });
const step = (variant: 's0' | 's4'): Graph =>
  trainStep(mobileOne(VARIANTS[variant]), 1000, { momentum: 0.9, nesterov: false, ema: true });
const s0 = step('s0');

function refusal(graph: Graph, options: CompileOptions): TooLargeError {
  try {
    engine.plan!(graph, options);
  } catch (error) {
    expect(error).toBeInstanceOf(TooLargeError);
    return error as TooLargeError;
  }
  throw new Error('it fits');
}

afterEach(() => {
  vi.unstubAllGlobals();
});

test('the largest batch that is named fits, and one more does not', () => {
  const property = fc.property(
    fc.constantFrom(64, 96, 160, 224),
    fc.constantFrom<CompileOptions['recompute']>('auto', 'never', 'depthwise'),
    fc.integer({ min: 150, max: 1500 }),
    (size, recompute, mebibytes) => {
      const options = { recompute, memoryLimit: mebibytes * 2 ** 20 };
      const dims = (N: number): Record<string, number> => ({ N, H: size, W: size });
      const { largestBatch, message, hint } = refusal(s0, { ...options, dims: dims(2048) });
      expect(message).toMatch(/^This program needs \d+\.\d GiB, more than the limit of \d\.\d+ GiB\.$/);
      expect(hint).toContain(`${largestBatch} is the largest that fits at this image size`);
      engine.plan!(s0, { ...options, dims: dims(largestBatch!) });
      expect(refusal(s0, { ...options, dims: dims(largestBatch! + 1) }).largestBatch).toBe(largestBatch);
    },
  );
  fc.assert(property, { numRuns: 8, seed: 1 });
});

test('where not even one image fits, or there is no batch to choose, it says so', () => {
  const one = refusal(s0, { dims: { N: 4, H: 224, W: 224 }, memoryLimit: 2 ** 20 });
  expect(one.largestBatch).toBe(0);
  expect(one.hint).toContain('not even a batch of one fits');
  const g = graphBuilder('fixed');
  const fixed = g.build({ y: g.op('Relu', 'y', [g.input('x', [8, 3, 'H', 'W'])], {}) });
  const other = refusal(fixed, { dims: { H: 224, W: 224 }, memoryLimit: 2 ** 20 });
  expect(other.largestBatch).toBeUndefined();
  expect(other.hint).toBe('Use a smaller batch or a smaller image size.');
});

test('auto keeps everything where that fits well, and recomputes above 2 GiB or where it must', () => {
  const plan = (N: number, options: Partial<CompileOptions> = {}): { activations: number; recomputed?: boolean } =>
    engine.plan!(s0, { dims: { N, H: 224, W: 224 }, ...options });
  const [never, depthwise] = (['never', 'depthwise'] as const).map((recompute) => plan(16, { recompute }));
  expect(plan(16)).toEqual(never);
  expect(depthwise!.recomputed).toBe(true);
  expect(depthwise!.activations).toBeLessThan(0.72 * never!.activations);
  expect(plan(16, { memoryLimit: 320 * 2 ** 20 })).toEqual(depthwise);
  expect(plan(128).recomputed).toBe(true);
  // The paper's batch.
  expect(plan(256).activations).toBeLessThan(3 * 2 ** 30);
  expect(() => plan(256, { recompute: 'never' })).toThrow(/more than the 4 GiB/);
});

test('memory that the machine does not give is taken as a limit: recompute, then name the largest batch', async () => {
  const Real = WebAssembly.Memory;
  let limit = 320 * 2 ** 20;
  vi.stubGlobal('WebAssembly', {
    ...Object.fromEntries(
      Object.getOwnPropertyNames(WebAssembly).map((name) => [name, Reflect.get(WebAssembly, name)]),
    ),
    Memory: function Memory(descriptor: WebAssembly.MemoryDescriptor) {
      if (descriptor.initial * 65536 > limit) throw new RangeError('could not allocate memory');
      return new Real(descriptor);
    },
  });
  const program = await engine.compile(s0, { dims: { N: 16, H: 224, W: 224 } });
  expect(program.memory.recomputed).toBe(true);
  await program.dispose();
  limit = 200 * 2 ** 20;
  const refused = await engine.compile(s0, { dims: { N: 16, H: 224, W: 224 } }).catch((error) => error);
  expect(refused).toBeInstanceOf(TooLargeError);
  expect(refused.message).toMatch(/^This program needs 0\.3 GiB, which this machine does not give\.$/);
  const { largestBatch } = refused as TooLargeError;
  expect(largestBatch).toBeGreaterThan(4);
  const smaller = await engine.compile(s0, { dims: { N: largestBatch!, H: 224, W: 224 } });
  await smaller.dispose();
});
