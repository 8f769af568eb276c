/** Runs that are stopped by Ctrl-C or a full disk. Resumed ones end with the same bits. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { built, cli, makeImages, start, TINY, temporaryFolder } from './cli-process.ts';
import { expectSameFiles } from './killing.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
/** Long enough to be stopped in the middle; a checkpoint after every step. */
const ARGS = ['train', 'photos', ...TINY, '--epochs', '12', '--checkpoint-every', '1e-9'];
const expectSameRun = (run: string): void => expectSameFiles(folder, run, 'whole');

/** A file system of a few hundred kilobytes, or false where mounting is not allowed. */
function mountSmall(path: string, size: string): boolean {
  mkdirSync(path);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.skipIf(!built)('a stopped run (built)', () => {
  beforeAll(async () => {
    await makeImages(at('photos'), 12);
    expect((await cli(folder, ...ARGS, '--out', 'whole')).code).toBe(0);
  });
  afterAll(remove);

  it('finishes the step at Ctrl-C, saves, says how to go on, and goes on bit-identical', async () => {
    const run = start(folder, [...ARGS, '--out', 'stopped', '--json']);
    await run.until(/"type":"epoch"[\s\S]*"type":"epoch"/);
    run.child.kill('SIGINT');
    const stopped = await run.done;
    expect(stopped.code).toBe(130);
    expect(stopped.err).toContain('Finishing this step and saving');
    expect(JSON.parse(stopped.out.trim().split('\n').at(-1)!)).toMatchObject({ type: 'interrupted' });
    const resumed = await cli(folder, 'train', '--resume', 'stopped');
    expect(resumed.code).toBe(0);
    expect(resumed.out).toContain('going on in epoch');
    expectSameRun('stopped');
  });

  it('says in words how to go on (bit-identical), and takes a signal that npx repeats for one', async () => {
    const run = start(folder, [...ARGS, '--out', 'words']);
    await run.until(/epoch 1\/12/);
    run.child.kill('SIGINT');
    run.child.kill('SIGTERM');
    const { code, out } = await run.done;
    expect(code).toBe(130);
    expect(out).toContain('To go on: mobileone train --resume words');
    expect((await cli(folder, 'train', '--resume', 'words')).code).toBe(0);
    expectSameRun('words');
  });

  it('bit-identical after Ctrl-C while a checkpoint is written', async () => {
    const run = start(folder, [...ARGS, '--out', 'writing']);
    await run.until(/3 classes/);
    // The temporary file of a checkpoint is there only while it is written.
    const seen = await new Promise<boolean>((resolve) => {
      const watcher = watch(at('writing', 'checkpoints'), (_, name) => {
        if (!name?.endsWith('.tmp')) return;
        watcher.close();
        resolve(run.child.kill('SIGINT'));
      });
    });
    expect(seen).toBe(true);
    const { code, out } = await run.done;
    expect(code).toBe(130);
    expect(out).toContain('To go on: mobileone train --resume writing');
    expect(readdirSync(at('writing', 'checkpoints')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
    expect((await cli(folder, 'train', '--resume', 'writing')).code).toBe(0);
    expectSameRun('writing');
  });

  it('quits at once at the second Ctrl-C', async () => {
    // The step is large, so that the second signal comes while the first waits for its end.
    const slow = ['train', 'photos', ...TINY, '--engine', 'reference', '--size', '96', '--widths', '.5,.5,.5,.5'];
    const run = start(folder, [...slow, '--epochs', '50', '--out', 'twice']);
    await run.until(/3 classes/);
    run.child.kill('SIGINT');
    await run.until(/Finishing this step/);
    await new Promise((resolve) => setTimeout(resolve, 400));
    run.child.kill('SIGINT');
    const { code, out } = await run.done;
    expect(code).toBe(130);
    expect(out).not.toContain('To go on');
    expect((await cli(folder, 'info', 'twice')).code).toBe(0);
  });

  it('leaves a finished run bit-identical when it is resumed', async () => {
    expect((await cli(folder, 'train', '--resume', 'whole')).code).toBe(0);
    expectSameRun('stopped');
  });

  it('keeps the last checkpoint when the disk is full, and goes on bit-identical when it no longer is', async (context) => {
    const checkpoint = statSync(at('whole', 'checkpoints', 'last.safetensors')).size;
    const small = at('small');
    if (!mountSmall(small, `${Math.ceil((2.2 * checkpoint) / 1024)}k`))
      return context.skip('needs the right to mount a small file system');
    try {
      const { code, err } = await cli(folder, ...ARGS, '--out', 'small/run');
      expect(code).toBe(1);
      expect(err).toMatch(/could not be written: the disk is full/);
      expect(err).toContain('mobileone train --resume small/run');
      expect(readdirSync(join(small, 'run', 'checkpoints')).filter((name) => name.endsWith('.tmp'))).toEqual([]);
      expect((await cli(folder, 'info', 'small/run')).code).toBe(0);
      execFileSync('mount', ['-o', 'remount,size=64m', small]);
      expect((await cli(folder, 'train', '--resume', 'small/run')).code).toBe(0);
      expectSameRun('small/run');
    } finally {
      execFileSync('umount', [small]);
    }
  });
});
