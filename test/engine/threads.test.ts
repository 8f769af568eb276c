/** Threads of the wasm engine: the same bits, an end without a hang when one dies, and rest when idle. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import workerThreads, { type Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import { UserError } from '../../src/core/errors.ts';
import type { Program } from '../../src/engine/engine.ts';
import { autoThreads, quotaCores } from '../../src/engine/wasm/auto-threads-node.ts';
import { makeWasmEngine } from '../../src/engine/wasm/engine.ts';
import { nodeKernels, nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { leadTeam } from '../../src/engine/wasm/team.ts';
import { mobileOne } from '../../src/models/mobileone.ts';
import { runOn } from './cases/agreement.ts';
import { breaking, DEATHS } from './cases/broken-worker.ts';
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
const one = stepCase(model, 10, { N: 4, H: 32, W: 32 }, 3, 5);
const gone = (worker: Worker): boolean => worker.threadId === -1;

/** Workers that are started while `body` runs; the last member of a team gets `prefix` before its own text. */
async function recordWorkers<T>(body: () => Promise<T>, prefix = ''): Promise<[T, Worker[]]> {
  const { Worker: Original } = workerThreads;
  const started: Worker[] = [];
  class Recorded extends Original {
    constructor(...[source, options]: ConstructorParameters<typeof Original>) {
      const { tid, threads } = options!.workerData as { tid: number; threads: number };
      const last = prefix !== '' && tid === threads - 1;
      super(last ? prefix + source : source, { ...options, resourceLimits: { maxOldGenerationSizeMb: 24 } });
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

/** A program whose last thread does `code` in its first run, and its workers. */
async function brokenProgram(threads: number, code: string): Promise<[Program, Worker[]]> {
  const engine = await nodeWasmEngine();
  return recordWorkers(() => engine.compile(one.graph, { dims: one.dims, threads }), breaking(code));
}

/** That nothing more can be done with a program whose thread is gone, but dispose it. */
async function expectEnd(program: Program, workers: readonly Worker[]): Promise<void> {
  const hint = expect.stringMatching(/--resume.*--threads 1/);
  await expect(program.run(one.feeds)).rejects.toMatchObject({ name: 'UserError', hint, exitCode: 70 });
  await program.dispose();
  await program.dispose();
  expect(workers.every(gone)).toBe(true);
  await expect(program.run(one.feeds)).rejects.toThrow(/disposed/);
}

const SLEEP = (ms: string): string => `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${ms});`;

describe.each([2, 3])('%i threads', (threads) => {
  const dead = (reason: RegExp): RegExp =>
    new RegExp(`stopped \\(thread ${threads} of ${threads}: .*${reason.source}`, 'i');

  test.each(Object.entries(DEATHS))('the last one %s in the middle of a step', async (_, { code, reason }) => {
    const [program, workers] = await brokenProgram(threads, code);
    await expect(program.run(one.feeds)).rejects.toThrow(dead(reason));
    await expectEnd(program, workers);
  });

  test('the last one is ended from outside in the middle of a step', async () => {
    const [program, workers] = await brokenProgram(threads, SLEEP('Infinity'));
    setTimeout(() => workers.at(-1)!.terminate(), 200);
    await expect(program.run(one.feeds)).rejects.toThrow(dead(/it ended with code 1/));
    await expectEnd(program, workers);
  });

  test('the last one is ended between two steps', async () => {
    const engine = await nodeWasmEngine();
    const [[, program], workers] = await recordWorkers(() => runOn(engine, one, threads));
    expect(workers).toHaveLength(threads - 1);
    await workers.at(-1)!.terminate();
    await expect(program.run(one.feeds)).rejects.toThrow(dead(/it ended with code 1/));
    await expectEnd(program, workers);
  });

  test('the last one does not start', async () => {
    const engine = await nodeWasmEngine();
    const compile = async (): Promise<unknown> =>
      engine.compile(one.graph, { dims: one.dims, threads }).catch((e) => e);
    const [error, workers] = await recordWorkers(compile, 'process.exit(3);');
    expect(error).toMatchObject({ message: `The engine could not start ${threads} threads (it ended with code 3).` });
    expect(error).toMatchObject({ hint: expect.stringMatching(/threads 1/) });
    expect(workers.every(gone)).toBe(true);
  });

  test('a slow one is waited for, with the same results; meanwhile timers run and runs take turns', async () => {
    const engine = await nodeWasmEngine();
    const [expected, quick] = await runOn(engine, { ...one, steps: 2 }, threads);
    const slow = brokenProgram(threads, SLEEP('400'));
    const [program] = await slow;
    for (const [name, value] of one.state) program.write(name, value);
    for (const name of program.stateNames)
      if (name.startsWith('ema:')) program.write(name, one.state.get(name.slice(4))!);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 10);
    const [, second] = await Promise.all([program.run(one.feeds), program.run(one.feeds)]);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
    expect(second).toEqual(expected);
    await Promise.all([program.dispose(), quick.dispose()]);
  });

  test('a program can be disposed in the middle of a run', async () => {
    const [program, workers] = await brokenProgram(threads, SLEEP('Infinity'));
    const running = program.run(one.feeds);
    setTimeout(() => program.dispose(), 200);
    await expect(running).rejects.toThrow(/disposed/);
    await program.dispose();
    expect(workers.every(gone)).toBe(true);
  });
});

test.each([1, 2])('a fault of the calling thread, one of %i, ends the program as well', async (threads) => {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const fail = (): never => {
    throw new WebAssembly.RuntimeError('unreachable');
  };
  const { runner } = leadTeam(memory, { run: fail, resume: fail, setTile: () => {} }, threads, async () => {});
  const attempt = (): unknown => runner.run(1024, 1);
  expect(attempt).toThrow(`stopped (thread 1 of ${threads}: unreachable)`);
  expect(attempt).toThrow(UserError);
  await runner.dispose();
  expect(attempt).toThrow('disposed');
});

test.each(['baseline', 'relaxed', 'wide'] as const)('%s: bit-identical for 1, 2 and 3 threads each', async (simd) => {
  const engine = await nodeWasmEngine({ simd });
  const steps = { ...stepCase(model, 10, { N: 5, H: 45, W: 64 }, 3, 11), steps: 2 };
  for (const threads of [1, 2, 3]) {
    const states = [];
    for (let i = 0; i < 2; i++) {
      const [outputs, program] = await runOn(engine, steps, threads);
      states.push([...program.stateNames.map((name) => program.read(name).data), outputs.logits!.data]);
      await program.dispose();
    }
    expect(states[0]).toEqual(states[1]);
  }
});

test('auto is a number of threads like another; what is none is refused', async () => {
  const { threads } = (await nodeWasmEngine({ threads: 'auto' })).capabilities();
  expect(threads).toBe(autoThreads());
  expect(threads).toBe((await nodeWasmEngine()).capabilities().threads);
  const engine = await nodeWasmEngine({ threads: 2 });
  const program = await engine.compile(one.graph, { dims: one.dims, threads: 'auto' });
  await program.dispose();
  for (const wrong of [0, -1, 1.5, Number.NaN, 257]) {
    await expect(nodeWasmEngine({ threads: wrong })).rejects.toThrow(UserError);
    await expect(engine.compile(one.graph, { dims: one.dims, threads: wrong })).rejects.toThrow(/whole number from 1/);
  }
});

test('more than one thread is refused where there can be only one, with the reason', async () => {
  const kernels = { ...(await nodeKernels()), obstacle: 'the page is not cross-origin isolated' };
  const compiling = makeWasmEngine(kernels, 1).compile(one.graph, { dims: one.dims, threads: 2 });
  await expect(compiling).rejects.toThrow('The engine has 1 thread here: the page is not cross-origin isolated.');
});

test.each<[name: string, files: Record<string, string>, cores: number]>([
  ['no control groups', {}, Number.POSITIVE_INFINITY],
  ['version 2, no quota', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': 'max 100000\n' }, Infinity],
  ['version 2, in a container', { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '250000 100000\n' }, 2.5],
  [
    'version 2, the smallest of the groups above',
    {
      '/proc/self/cgroup': '0::/a/b\n',
      '/sys/fs/cgroup/a/b/cpu.max': '400000 100000\n',
      '/sys/fs/cgroup/a/cpu.max': '300000 100000\n',
    },
    3,
  ],
  [
    'version 1',
    {
      '/proc/self/cgroup': '4:memory:/x\n2:cpu,cpuacct:/\n0::/\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '150000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    1.5,
  ],
  [
    'version 1, no quota',
    {
      '/proc/self/cgroup': '2:cpu:/\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000\n',
    },
    Number.POSITIVE_INFINITY,
  ],
])('quota of the control groups: %s', (_, files, cores) => {
  expect(quotaCores((path) => files[path])).toBe(cores);
});

const NODE = fileURLToPath(new URL('../../dist/node.js', import.meta.url));

/** Runs a script that has a program of three threads after one run; returns what it prints. */
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
