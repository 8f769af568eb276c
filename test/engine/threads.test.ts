/** Threads of the wasm engine: the same bits, an end without a hang when one dies, and rest when idle. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import workerThreads, { type Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import * as op from '../../kernels/opcodes.ts';
import { UserError } from '../../src/core/errors.ts';
import { encode, makeEmitter } from '../../src/engine/wasm/emitter.ts';
import { planMemory } from '../../src/engine/wasm/memory.ts';
import { nodeKernels, nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import type { Runner } from '../../src/engine/wasm/platform.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { runOn } from './cases/agreement.ts';
import { stepCase } from './cases/models.ts';

const run = promisify(execFile);
const model = mobileOne({
  depths: [1, 1, 1, 1],
  widths: [0.5, 0.25, 0.25, 0.25],
  num_conv_branches: 2,
  se_blocks: [0, 0, 1, 0],
  rd_divisor: 8,
  num_classes: 10,
  in_chans: 3,
});

/** Workers that were started while the test ran. */
async function recordWorkers<T>(body: () => Promise<T>): Promise<[T, Worker[]]> {
  const { Worker: Original } = workerThreads;
  const started: Worker[] = [];
  class Recorded extends Original {
    constructor(...args: ConstructorParameters<typeof Original>) {
      super(...args);
      started.push(this);
    }
  }
  Object.assign(workerThreads, { Worker: Recorded });
  syncBuiltinESMExports();
  try {
    return [await body(), started];
  } finally {
    Object.assign(workerThreads, { Worker: Original });
    syncBuiltinESMExports();
  }
}

/** A team whose program lets the last thread alone run out of its memory: the share of the others lies inside. */
async function faultyTeam(threads: number): Promise<{ runner: Runner; list: number }> {
  const { emitter, finish } = makeEmitter(threads);
  const x = emitter.persistent(65536);
  emitter.emit(op.RELU, x, x, 65536);
  const { main, buffers } = finish();
  const { total } = planMemory(buffers);
  const pages = Math.ceil((total + 4096) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  encode(main, memory.buffer, total);
  // Grow the count so that the last share ends beyond the memory.
  const floats = Math.floor((pages * 65536 - 1024) / 4 / (threads - 1)) * threads;
  new Int32Array(memory.buffer, total, 4)[3] = floats;
  return { runner: await (await nodeKernels()).start(memory, threads), list: total };
}

describe.each([2, 3])('%i threads', (threads) => {
  test('a thread that fails in the middle ends the run with a message, and the program can be disposed', async () => {
    const { runner, list } = await faultyTeam(threads);
    const attempt = (): void => runner.run(list, 1);
    expect(attempt).toThrow(/thread of the engine stopped \(another thread failed\)/);
    expect(attempt).toThrow(UserError); // at once, not again in the barrier
    await runner.dispose();
    await runner.dispose();
    expect(attempt).toThrow(/disposed/);
  });

  test('a thread that is ended from outside makes the next run fail', async () => {
    const engine = await nodeWasmEngine();
    const one = stepCase(model, 10, { N: 4, H: 32, W: 32 }, 3, 5);
    const [[, program], workers] = await recordWorkers(() => runOn(engine, one, threads));
    expect(workers).toHaveLength(threads - 1);
    await workers.at(-1)!.terminate();
    await expect(program.run(one.feeds)).rejects.toThrow(/it ended with code 1/);
    await expect(program.run(one.feeds)).rejects.toMatchObject({
      hint: expect.stringMatching(/--resume/),
      exitCode: 70,
    });
    await program.dispose();
  });
});

test.each(['baseline', 'relaxed', 'wide'] as const)('%s: bit-identical for 1, 2 and 3 threads each', async (simd) => {
  const engine = await nodeWasmEngine({ simd });
  const one = { ...stepCase(model, 10, { N: 5, H: 45, W: 64 }, 3, 11), steps: 2 };
  for (const threads of [1, 2, 3]) {
    const states = [];
    for (let i = 0; i < 2; i++) {
      const [outputs, program] = await runOn(engine, one, threads);
      states.push([...program.stateNames.map((name) => program.read(name).data), outputs.logits!.data]);
      await program.dispose();
    }
    expect(states[0]).toEqual(states[1]);
  }
});

const NODE = fileURLToPath(new URL('../../dist/node.js', import.meta.url));

/** Runs a script that has a program of two threads after one run; returns what it prints. */
async function script(body: string): Promise<string> {
  const text = `
    import { graphBuilder, nodeWasmEngine } from ${JSON.stringify(NODE)};
    const g = graphBuilder('g');
    const x = g.input('x', ['N', 8]);
    const graph = g.build({ y: g.op('Relu', 'y', [x], {}) });
    const engine = await nodeWasmEngine({ threads: 3 });
    const program = await engine.compile(graph, { dims: { N: 4096 } });
    const feeds = { x: { shape: [4096, 8], data: new Float32Array(32768).fill(-1) } };
    await program.run(feeds);
    ${body}`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', text], { timeout: 20_000 });
  return stdout.trim();
}

describe.skipIf(!existsSync(NODE))('a process with kernel threads (built)', () => {
  test('ends by itself, whether the program was disposed or not', async () => {
    expect(await script('console.log("left");')).toBe('left');
    expect(await script('await program.dispose(); await program.dispose(); console.log("disposed");')).toBe('disposed');
  });

  test('uses no processor time when idle', async () => {
    const answer = await script(`
      await new Promise((resolve) => setTimeout(resolve, 200));
      const before = process.cpuUsage();
      await new Promise((resolve) => setTimeout(resolve, 1000));
      const { user, system } = process.cpuUsage(before);
      console.log((user + system) / 1e6);`);
    expect(Number(answer)).toBeLessThan(0.5); // three busy threads would use three seconds
  });
});
