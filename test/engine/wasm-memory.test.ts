/** Memory of wasm programs: buffers that live at the same time never overlap, and what does not fit is refused. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { makeBuffer, planMemory, touch } from '../../src/engine/wasm/memory.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import { mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { trainStep } from '../../src/step/train-step.ts';

const buffer = fc.record({
  bytes: fc.integer({ min: 1, max: 5000 }),
  persistent: fc.boolean(),
  first: fc.integer({ min: 0, max: 30 }),
  life: fc.integer({ min: 0, max: 10 }),
});

test('buffers that live at the same time do not overlap, and all lie within the plan', () => {
  fc.assert(
    fc.property(fc.array(buffer, { maxLength: 40 }), (specs) => {
      const buffers = specs.map(({ bytes, persistent, first, life }) => {
        const made = makeBuffer(bytes, persistent);
        touch(made, first);
        touch(made, first + life);
        return made;
      });
      const { total } = planMemory(buffers);
      buffers.forEach((a, i) => {
        expect(a.address % 64).toBe(0);
        expect(a.address).toBeGreaterThan(0);
        expect(a.address + a.bytes).toBeLessThanOrEqual(total);
        for (const b of buffers.slice(i + 1)) {
          const together = a.persistent || b.persistent || (a.first <= b.last && b.first <= a.last);
          const apart = a.address + a.bytes <= b.address || b.address + b.bytes <= a.address;
          expect(!together || apart).toBe(true);
        }
      });
    }),
  );
});

test('transient buffers whose lives do not meet share memory', () => {
  const [a, b] = [makeBuffer(1000, false), makeBuffer(1000, false)];
  touch(a, 0);
  touch(b, 1);
  planMemory([a, b]);
  expect(a.address).toBe(b.address);
});

test('elementwise ops write over an input that nothing else needs, and over no other', async () => {
  const engine = await nodeWasmEngine({ threads: 1 });
  const data = Float32Array.from({ length: 8 * 64 * 64 }, (_, i) => Math.sin(i));
  const x = { shape: [1, 8, 64, 64], data };
  const run = async (...kinds: ('chain' | 'reread')[]): Promise<{ bytes: number; y: ArrayLike<number> }> => {
    const g = graphBuilder('elementwise');
    const input = g.input('x', ['N', 8, 'H', 'W']);
    const doubled = g.op('Add', 'doubled', [input, input], {});
    const relu = g.op('Relu', 'relu', [doubled], {});
    const sum = g.op('Add', 'sum', [relu, input], {});
    const y = g.op('Mul', 'y', [sum, kinds[0] === 'reread' ? doubled : sum], {});
    const program = await engine.compile(g.build({ y }), { dims: { N: 1, H: 64, W: 64 } });
    const result = await program.run({ x });
    const bytes = program.memory.activations;
    await program.dispose();
    return { bytes, y: result.y!.data };
  };
  const [chain, reread] = [await run('chain'), await run('reread')];
  data.forEach((v, i) => {
    const sum = Math.fround(Math.fround(Math.max(0, 2 * v)) + v);
    expect(chain.y[i]).toBe(Math.fround(sum * sum));
    expect(reread.y[i]).toBe(Math.fround(sum * Math.fround(2 * v)));
  });
  expect(chain.bytes).toBe(2 * data.byteLength);
  expect(reread.bytes).toBe(3 * data.byteLength);
});

test('a step that needs more than WebAssembly can address is refused with what to do', async () => {
  const engine = await nodeWasmEngine();
  const step = trainStep(mobileOne(VARIANTS.s4), 1000, { momentum: 0.9, nesterov: false, ema: true });
  const compiling = engine.compile(step, { dims: { N: 256, H: 224, W: 224 } });
  await expect(compiling).rejects.toThrow(/needs \d+\.\d GiB, more than the 4 GiB/);
  await expect(compiling).rejects.toMatchObject({ hint: expect.stringMatching(/smaller batch: \d+ is the largest/) });
});
