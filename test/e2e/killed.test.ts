/** Runs that are killed (SIGKILL, as by a power cut) and resumed end with the bits of an uninterrupted one. */
import { readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../src/core/random.ts';
import { built, cli, temporaryFolder } from './cli-process.ts';
import { EVERYTHING, makeVictims } from './everything.ts';
import { beginOrResume, type Cut, cutWithin, expectSameEnd, killAfter, type Victim } from './killing.ts';

const { folder, remove } = temporaryFolder();
/** Each its own caches, so that none lives from what another one decoded or asked of the teacher. */
const victim = (run: string): Victim => ({
  ...{ folder, run, args: EVERYTHING },
  env: { XDG_CACHE_HOME: join(folder, `cache-${run}`) },
});
/** Moments of killing are drawn anew each time; a failure tells the seed. */
const SEED = Date.now() % 1_000_000;

describe.skipIf(!built)('a killed run (built) is bit-identical', () => {
  beforeAll(async () => {
    await makeVictims(folder);
    expect((await cli(folder, ...EVERYTHING, '--out', 'whole')).code).toBe(0);
  });
  afterAll(remove);

  it('bit-identical after kill -9 at random moments', async () => {
    const rng = random(SEED);
    const one = victim('random');
    for (let kill = 0; kill < 4; kill++) await killAfter(one, /"type":"start"/, rng, 250);
    await expectSameEnd(one, 'whole', `(seed ${SEED})`);
  });

  it('bit-identical after kill -9 while a checkpoint is written', async () => {
    const one = victim('written');
    const checkpoints = join(folder, 'written', 'checkpoints');
    await killAfter(one, /"type":"checkpoint"/, random(SEED));
    // The temporary file of a checkpoint is there only while it is written; it stays where the kill has met the write.
    const left = (): boolean =>
      readdirSync(checkpoints).some((name) => name.startsWith('.last.') && name.endsWith('.tmp'));
    for (let tries = 0; !left() && tries < 10; tries++) {
      const run = beginOrResume(one);
      const watcher = watch(checkpoints, (_, name) => name?.endsWith('.tmp') && run.child.kill('SIGKILL'));
      await run.done;
      watcher.close();
    }
    expect(left()).toBe(true);
    await expectSameEnd(one, 'whole');
  });

  it('bit-identical after kill -9 within the writes of every file', async () => {
    const one = victim('cut');
    const cuts: Cut[] = [
      ['recipe.yaml', 'half'],
      ['last.safetensors', 'written'],
      ['last.safetensors', 'half', 2],
      ['epoch-0.f32', 'half'],
      ['best.safetensors', 'renamed'],
      ['metrics.csv', 'synced', 6],
      ['model.safetensors', 'renamed'],
      ['last.safetensors', 'renamed'],
      ['fused.safetensors', 'half'],
      ['proof.json', 'opened'],
    ];
    for (const cut of cuts) await cutWithin(one, cut);
    await expectSameEnd(one, 'whole');
    const teachers = join(folder, 'cache-cut', 'mobileone', 'teachers');
    const kept = readdirSync(teachers, { recursive: true }).map(String);
    expect(kept.filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('bit-identical after kill -9 at each phase change and within evaluations', async () => {
    const one = victim('phase');
    const rng = random(SEED, 1);
    await cutWithin(one, ['', 'evaluating', 2]);
    for (const size of [48, 64])
      expect(await killAfter(one, RegExp(`"type":"phase".*"size":${size}`), rng, 20)).toBe(true);
    await cutWithin(one, ['', 'evaluating', 6]);
    await expectSameEnd(one, 'whole', `(seed ${SEED})`);
  });
});
