import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import ts from 'typescript';
import { afterAll, expect, test } from 'vitest';
import { requireForm } from '../../src/checkpoint/model-file.ts';
import { loadCheckpoint, loadModel, saveCheckpoint, saveModel, writeAtomic } from '../../src/checkpoint/store-node.ts';
import { type Checkpoint, checkpointModel, encodeCheckpoint } from '../../src/checkpoint/training-state.ts';
import { UserError } from '../../src/core/errors.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { fuse } from '../../src/reparam/fuse.ts';

const root = mkdtempSync(join(tmpdir(), 'mobileone-store-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const folder = (name: string): string => {
  mkdirSync(join(root, name), { recursive: true });
  return join(root, name);
};

const config: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 1, 1],
  widths: [0.125, 0.125, 0.125, 0.0625],
  num_conv_branches: 1,
  num_classes: 2,
};

/** A checkpoint as a run would write it after `epoch` epochs. */
function checkpoint(epoch: number): Checkpoint {
  const graph = mobileOne(config);
  const state = new Map<string, Tensor>(initialState(graph, epoch));
  for (const [name, value] of initialState(graph, 100 + epoch)) state.set(`momentum:${name}`, value);
  for (const [name, value] of initialState(graph, 200 + epoch)) {
    if (!name.includes('running_')) state.set(`ema:${name}`, value);
  }
  const metrics = {
    epoch,
    trainLoss: 0.5,
    trainTop1: 80,
    valLoss: 0.4,
    valTop1: 90,
    valTop5: 100,
    lr: 0.1,
    weightDecay: 1e-4,
    imagesPerSecond: 50,
    seconds: 60,
  };
  return {
    meta: {
      recipe: { epochs: 10, seed: 3 },
      config,
      classes: ['yes', 'no'],
      preprocessing: { size: 32, cropPct: 1, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5], interpolation: 'bilinear' },
      epoch,
      step: 4,
      seed: 3,
      seconds: 61.5,
      metrics: [metrics],
      best: { epoch: 0, valTop1: 90 },
    },
    state,
  };
}

const failure = async (run: Promise<unknown>): Promise<UserError> => {
  const error = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
};

test('a checkpoint is read back whole', async () => {
  const path = join(folder('whole'), 'last.safetensors');
  const written = checkpoint(1);
  await saveCheckpoint(path, written);
  const read = await loadCheckpoint(path);
  expect(read.meta).toEqual(written.meta);
  expect(new Map([...read.state].sort())).toEqual(new Map([...written.state].sort()));
  expect(readdirSync(folder('whole'))).toEqual(['last.safetensors']);
});

test('a checkpoint opens as a model with its EMA weights, and a model does not open as a checkpoint', async () => {
  const dir = folder('as-model');
  const written = checkpoint(2);
  await saveCheckpoint(join(dir, 'last.safetensors'), written);
  const model = await loadModel(join(dir, 'last.safetensors'));
  expect(model.form).toBe('train');
  expect(model.metrics).toMatchObject({ valTop1: 90 });
  expect(model.state.get('head.fc.weight')).toEqual(written.state.get('ema:head.fc.weight'));
  const mean = 'stages.0.0.conv_scale.bn.running_mean';
  expect(model.state.get(mean)).toEqual(written.state.get(mean));
  const plain = checkpointModel(written, { ema: false });
  expect(plain.state.get('head.fc.weight')).toBe(written.state.get('head.fc.weight'));

  await saveModel(join(dir, 'fused.safetensors'), { ...model, form: 'fused', ...fuse(model.graph, model.state) });
  const fused = await loadModel(join(dir, 'fused.safetensors'));
  expect(() => requireForm(fused, 'train', 'to continue training')).toThrow(UserError);
  const error = await failure(loadCheckpoint(join(dir, 'fused.safetensors')));
  expect(error.message).toContain('fused.safetensors: This file is not a training checkpoint');
});

test('a checkpoint keeps float64 as it is, and its model is float32', async () => {
  const path = join(folder('wide'), 'last.safetensors');
  const { meta, state } = checkpoint(1);
  const wide = new Map([...state].map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]));
  wide.get('ema:head.fc.bias')!.data[0] = 1 / 3;
  await saveCheckpoint(path, { meta, state: wide });
  const read = await loadCheckpoint(path);
  expect(read.state.get('ema:head.fc.bias')).toEqual(wide.get('ema:head.fc.bias'));
  expect((await loadModel(path)).state.get('head.fc.bias')!.data[0]).toBe(Math.fround(1 / 3));
});

test('truncated, foreign and missing files are told by name', async () => {
  const dir = folder('bad');
  const bytes = encodeCheckpoint(checkpoint(1));
  for (const length of [0, 7, 100, 5000, bytes.length - 1]) {
    writeFileSync(join(dir, 'cut'), bytes.subarray(0, length));
    expect((await failure(loadCheckpoint(join(dir, 'cut')))).message).toContain('not a readable safetensors file');
    await failure(loadModel(join(dir, 'cut')));
  }
  writeFileSync(join(dir, 'photo.jpg'), Uint8Array.of(0xff, 0xd8, 0xff, 0xe0, 0, 16, 74, 70, 73, 70));
  expect((await failure(loadCheckpoint(join(dir, 'photo.jpg')))).message).toContain('photo.jpg');
  expect((await failure(loadModel(join(dir, 'none')))).message).toContain('there is no such file');
  expect((await failure(loadModel(dir))).message).toContain('it is a folder');
});

test('a checkpoint without its parameters is not written', () => {
  const { meta, state } = checkpoint(1);
  const some = new Map([...state].filter(([name]) => name !== 'head.fc.bias'));
  expect(() => encodeCheckpoint({ meta, state: some })).toThrow(/head.fc.bias \[2\] is missing/);
});

test.each([
  ['ENOSPC', 'the disk is full'],
  ['EACCES', 'no permission'],
  ['EROFS', 'read-only'],
  ['EIO', 'EIO happened'],
])('a disk that answers %s: a clear message, no temporary file, the earlier file whole', async (code, said) => {
  const path = join(folder(`refuses-${code}`), 'model.safetensors');
  await writeAtomic(path, 'earlier');
  const refuse = async (): Promise<never> => {
    throw Object.assign(new Error(`${code} happened`), { code });
  };
  for (const broken of [
    { open: refuse, rename },
    { open, rename: refuse },
    {
      rename,
      open: async (file: string, flags: string) => {
        const handle = await open(file, flags);
        await handle.writeFile('half of i');
        return { writeFile: refuse, sync: () => handle.sync(), close: () => handle.close() };
      },
    },
  ]) {
    const error = await failure(writeAtomic(path, 'new', broken));
    expect(error.message).toContain(said);
    expect(error.hint).toContain('Nothing was changed');
    expect(readFileSync(path, 'utf8')).toBe('earlier');
    expect(readdirSync(dirname(path))).toEqual([basename(path)]);
  }
});

test('a missing folder is told', async () => {
  const error = await failure(writeAtomic(join(root, 'absent', 'model.safetensors'), 'x'));
  expect(error.message).toContain('the folder does not exist');
});

/** Mounts a file system of 64 KiB, where the system lets us. */
function mountSmall(dir: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', dir], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

test('a disk that is really full', async (context) => {
  const dir = folder('full');
  if (!mountSmall(dir)) context.skip('mounting a small file system is not allowed here');
  try {
    const path = join(dir, 'model.safetensors');
    await writeAtomic(path, 'earlier');
    const error = await failure(writeAtomic(path, new Uint8Array(200_000)));
    expect(error.message).toContain('the disk is full');
    expect(readFileSync(path, 'utf8')).toBe('earlier');
    expect(readdirSync(dir)).toEqual(['model.safetensors']);
  } finally {
    execFileSync('umount', [dir]);
  }
});

/** Compiles what a child process needs to call writeAtomic, since Node 20 does not run TypeScript. */
function compileWriter(dir: string): void {
  for (const source of ['core/errors', 'checkpoint/write-node']) {
    const { outputText } = ts.transpileModule(readFileSync(`src/${source}.ts`, 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2023,
        rewriteRelativeImportExtensions: true,
      },
    });
    mkdirSync(dirname(join(dir, source)), { recursive: true });
    writeFileSync(join(dir, `${source}.js`), outputText);
  }
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(dir, 'loop.js'),
    `import { readFileSync } from 'node:fs';
     import { writeAtomic } from './checkpoint/write-node.js';
     const [target, ...files] = process.argv.slice(2);
     const contents = files.map((file) => readFileSync(file));
     for (let i = 0; ; i++) {
       await writeAtomic(target, contents[i % contents.length]);
       if (i === 0) process.stdout.write('writing');
     }`,
  );
}

test('a process killed while it writes checkpoints always leaves a whole one', async () => {
  const dir = folder('killed');
  compileWriter(dir);
  const runs = folder('killed/run');
  const target = join(runs, 'last.safetensors');
  const contents = [1, 2].map((epoch) => {
    writeFileSync(join(dir, `${epoch}.bin`), encodeCheckpoint(checkpoint(epoch)));
    return join(dir, `${epoch}.bin`);
  });
  const seen = new Set<number>();
  for (let kill = 0; kill < 6; kill++) {
    const child: ChildProcess = spawn(process.execPath, [join(dir, 'loop.js'), target, ...contents]);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    await delay(3 + 7 * kill);
    child.kill('SIGKILL');
    await ended;
    seen.add((await loadCheckpoint(target)).meta.epoch);
  }
  expect([...seen].every((epoch) => epoch === 1 || epoch === 2)).toBe(true);
  await saveCheckpoint(target, checkpoint(1));
  expect(readdirSync(runs)).toEqual(['last.safetensors']);
});
