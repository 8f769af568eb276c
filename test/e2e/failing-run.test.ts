/** Runs that end by themselves: loading fails, or the loss is no number. Each says why, and keeps the last good state. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { decodeCheckpoint } from '../../src/checkpoint/training-state.ts';
import { built, cli, makeImages, type Result, start, TINY, temporaryFolder } from './cli-process.ts';
import { expectSameFiles } from './killing.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
const ARGS = ['train', 'photos', ...TINY, '--epochs', '3', '--checkpoint-every', '1e-9'];
const position = (run: string): { epoch: number; step: number } => {
  const { meta, state } = decodeCheckpoint(readFileSync(at(run, 'checkpoints', 'last.safetensors')));
  for (const [name, { data }] of state) expect(data.every(Number.isFinite), name).toBe(true);
  return meta;
};

/** Trains with a module loaded first, in the process and in each of its threads. */
async function trainWith(name: string, code: string, ...args: string[]): Promise<Result> {
  writeFileSync(at(`${name}.mjs`), code);
  const env = { NODE_OPTIONS: `--import=${pathToFileURL(at(`${name}.mjs`)).href}` };
  return await start(folder, [...ARGS, '--out', name, ...args], env).done;
}

/** What a failed run says, and where it stands: in the middle of training. */
function expectFailure({ code, err }: Result, exit: number, run: string, message: RegExp): void {
  expect(err).toMatch(message);
  expect(err).toContain(`mobileone train --resume ${run}`);
  expect(err).not.toMatch(/\n\s+at /);
  expect(code).toBe(exit);
  const { epoch, step } = position(run);
  expect(epoch + step).toBeGreaterThan(0);
}

describe.skipIf(!built)('mobileone train (built)', () => {
  beforeAll(async () => {
    await makeImages(at('photos'), 12);
    expect((await cli(folder, ...ARGS, '--out', 'whole')).code).toBe(0);
  });
  afterAll(remove);

  /** Ends a loader thread (which no kernel thread is) at its fifth batch, as it takes the message that asks for it. */
  const killing = (how: string): string => `import { parentPort, workerData } from 'node:worker_threads';
    if (workerData?.samples && workerData.options.augment) {
      const { on } = parentPort;
      let batches = 0;
      parentPort.on = (event, listener) => on.call(parentPort, event, (message) => {
        if (++batches === 5) ${how};
        return listener(message);
      });
    }`;
  it.each([
    ['exits', 'process.exit(7)', /A loader thread stopped: exit code 7\.\n.*--workers 0/],
    ['throws', 'throw new Error("lost")', /A loader thread stopped: lost\.\n.*--workers 0/],
  ])('says so when a loader thread %s, and goes on bit-identical', async (name, how, message) => {
    expectFailure(await trainWith(name, killing(how)), 70, name, message);
    expect((await cli(folder, 'train', '--resume', name)).code).toBe(0);
    expectSameFiles(folder, name, 'whole');
  });

  it('goes on bit-identical though an image became unreadable after it was decoded, and warns when it resumes without', async () => {
    await makeImages(at('lost'), 12);
    const run = start(folder, [...ARGS.with(1, 'lost'), '--out', 'cached', '--json']);
    await run.until(/"type":"start"/);
    writeFileSync(at('lost', 'red', '3.png'), 'no picture');
    expect((await run.done).code).toBe(0);
    expectSameFiles(folder, 'cached', 'whole');
    const stopped = start(folder, [...ARGS.with(1, 'lost'), '--epochs', '9', '--out', 'stopped', '--json']);
    await stopped.until(/"type":"epoch"/);
    stopped.child.kill('SIGINT');
    expect((await stopped.done).code).toBe(130);
    writeFileSync(at('lost', 'blue', '3.png'), 'no picture either');
    const { code, out, err } = await cli(folder, 'train', '--resume', 'stopped');
    expect(code).toBe(0);
    expect(out + err).toMatch(/blue\/3\.png" is not an image/);
    expect(out + err).toMatch(
      /began with \d+ readable training images, now there are \d+; it goes on, but differently/,
    );
  });

  it('says which image can no longer be read where none are kept decoded', async () => {
    await makeImages(at('bare'), 12);
    writeFileSync(at('in-the-way'), '');
    const env = { XDG_CACHE_HOME: at('in-the-way') };
    const run = start(folder, [...ARGS.with(1, 'bare'), '--epochs', '50', '--out', 'bare-run', '--json'], env);
    await run.until(/"type":"epoch"/);
    writeFileSync(at('bare', 'red', '3.png'), 'no picture');
    expectFailure(await run.done, 1, 'bare-run', /A batch could not be loaded: .*red\/3\.png" is not an image/);
  });

  it.each([
    ['in a step', ['--lr', '1e12'], /The loss became \S+, beginning in "[\w.]+", in epoch \d, step \d, at a/],
    [
      'by the last step of an epoch',
      ['--lr', '1e38', '--batch-size', '24'],
      /The weights are no longer finite, beginning in "[\w.]+", in epoch 1, step 1, at a/,
    ],
  ])('names the layer where numbers stop being finite %s, and keeps what was good', async (name, args, message) => {
    const run = name.replaceAll(' ', '-');
    const { code, err } = await cli(folder, ...ARGS, ...args, '--out', run);
    expect(err).toMatch(message);
    expect(err).toMatch(
      /training has diverged\.\nTrain again with a lower rate \(--lr \S+\) .*The last good checkpoint is kept\./,
    );
    expect(err).not.toContain('--resume');
    expect(code).toBe(1);
    position(run);
    for (const file of ['model.safetensors', 'checkpoints/best.safetensors'])
      if (existsSync(at(run, file)))
        for (const { data } of decodeSafetensors(readFileSync(at(run, file))).tensors.values())
          expect(data.every(Number.isFinite), file).toBe(true);
  });

  it('begins again in the folder of a run that ended before its first checkpoint', async () => {
    const die = `import promises from 'node:fs/promises';
      import { syncBuiltinESMExports } from 'node:module';
      const { open } = promises;
      promises.open = (path, ...rest) => /last\\.safetensors/.test(path) ? process.kill(process.pid, 'SIGKILL') : open(path, ...rest);
      syncBuiltinESMExports();`;
    expect((await trainWith('early', die)).code).toBe(null);
    const resumed = await cli(folder, 'train', '--resume', 'early');
    expect(resumed.code).toBe(1);
    expect(resumed.err).toMatch(
      /early has no checkpoint yet\.\n.*nothing is lost: run the command that began it again/,
    );
    expect((await cli(folder, ...ARGS, '--out', 'early')).code).toBe(0);
    expectSameFiles(folder, 'early', 'whole');
    expect((await cli(folder, ...ARGS, '--out', 'early')).err).toContain('early already exists and holds a run.');
  });
});
