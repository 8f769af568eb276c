/** The wasm engine against the float64 reference: every op, whole steps, odd shapes, both builds, one and two threads. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Engine } from '../../src/engine/engine.ts';
import { makeWasmEngine } from '../../src/engine/wasm/engine.ts';
import { RULES } from '../../src/engine/wasm/lower/rules.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import type { KernelExports } from '../../src/engine/wasm/platform.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import { OPS } from '../../src/graph/ops.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { RANDOM_SHARE } from '../rounds.ts';
import { runOn } from './cases/agreement.ts';
import { stepCase } from './cases/models.ts';
import { ENGINE_PROPERTIES } from './cases/properties.ts';
import { everySetup } from './cases/setups.ts';

test.each(ENGINE_PROPERTIES)('$name', async ({ check }) => {
  await check(await everySetup(), RANDOM_SHARE);
});

test('the same number of threads gives the same bits', async () => {
  const wasm = await nodeWasmEngine();
  const model = mobileOne({
    depths: [1, 1, 1, 1],
    widths: [0.5, 0.25, 0.25, 0.25],
    num_conv_branches: 4,
    se_blocks: [0, 0, 0, 0],
    rd_divisor: 8,
    num_classes: 10,
    in_chans: 3,
  });
  const one = { ...stepCase(model, 10, { N: 8, H: 64, W: 64 }, 3, 11), steps: 3 };
  const states = [];
  for (let i = 0; i < 2; i++) {
    const [, program] = await runOn(wasm, one, 2);
    states.push(program.stateNames.map((name) => program.read(name).data));
    await program.dispose();
  }
  expect(states[0]).toEqual(states[1]);
});

test('the tile, chosen by timing when a process starts, changes no bit', async () => {
  await nodeWasmEngine(); // lets this process compile relaxed SIMD
  const module = new WebAssembly.Module(readFileSync(new URL('../../dist/kernels/relaxed.wasm', import.meta.url)));
  const withTile = (rows: 4 | 6): Engine =>
    makeWasmEngine(
      {
        ops: OPS,
        rules: RULES,
        description: 'test',
        tuning: `${rows}×8 tile`,
        async start(memory) {
          const { exports } = new WebAssembly.Instance(module, { env: { memory } });
          const kernels = exports as unknown as KernelExports;
          kernels.setTile(rows);
          const run = (list: number, count: number): void => {
            kernels.run(list, count, 0, 1);
          };
          return { run, dispose: async () => {} };
        },
      },
      1,
    );
  const model = mobileOne({
    depths: [1, 1, 1, 1],
    widths: [0.3, 0.25, 0.4, 0.25],
    num_conv_branches: 2,
    se_blocks: [0, 0, 1, 0],
    rd_divisor: 8,
    num_classes: 7,
    in_chans: 3,
  });
  const one = { ...stepCase(model, 7, { N: 7, H: 45, W: 51 }, 3, 13), steps: 2 };
  const states = [];
  for (const rows of [4, 6] as const) {
    const [, program] = await runOn(withTile(rows), one, 1);
    states.push(program.stateNames.map((name) => program.read(name).data));
  }
  expect(states[0]).toEqual(states[1]);
});

test('refuses what it cannot run, naming the node', async () => {
  const wasm = await nodeWasmEngine();
  const g = graphBuilder('grouped');
  const x = g.input('input', ['N', 4, 'H', 'W']);
  const attrs = { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], dilations: [1, 1], group: 2 } as const;
  const graph = g.build({ y: g.conv('odd', x, 4, 4, attrs) });
  await expect(wasm.compile(graph, { dims: { N: 1, H: 8, W: 8 } })).rejects.toThrow(/"odd".*2 groups/);
});
