/**
 * Runs killed at many random moments, and at every stage of the writing of every file, end bit-identical to an
 * uninterrupted one. MOBILEONE_KILLS says how many random kills (200), MOBILEONE_SEED where they fall.
 */
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { random } from '../../src/core/random.ts';
import { cli, temporaryFolder } from '../e2e/cli-process.ts';
import { EVERYTHING, makeVictims } from '../e2e/everything.ts';
import { cutWithin, expectSameEnd, killAfter, STAGES, type Stage, type Victim } from '../e2e/killing.ts';

const { folder, remove } = temporaryFolder();
const victim = (run: string): Victim => ({
  ...{ folder, run, args: EVERYTHING },
  env: { XDG_CACHE_HOME: join(folder, `cache-${run}`) },
});
const KILLS = Number(process.env.MOBILEONE_KILLS ?? 200);
const SEED = Number(process.env.MOBILEONE_SEED ?? Date.now() % 1_000_000);

beforeAll(async () => {
  await makeVictims(folder);
  expect((await cli(folder, ...EVERYTHING, '--out', 'whole')).code).toBe(0);
}, 600_000);
afterAll(remove);

test(`bit-identical after kill -9 at ${KILLS} random moments (seed ${SEED})`, async () => {
  const rng = random(SEED);
  let kills = 0;
  for (let round = 0; kills < KILLS; round++) {
    // From the first moment of the process on, or after training began; short gaps and long ones.
    const one = victim(`random-${round}`);
    for (let ended = false; !ended && kills < KILLS; kills++) {
      const pattern = rng.uniform() < 0.3 ? /^/ : /"type":"start"/;
      ended = !(await killAfter(one, pattern, rng, 30 * 40 ** rng.uniform()));
    }
    await expectSameEnd(one, 'whole', `(seed ${SEED}, round ${round})`);
  }
});

const FILES = [
  'recipe.yaml',
  'last.safetensors',
  'metrics.csv',
  'best.safetensors',
  'epoch-1.f32',
  'model.safetensors',
];
const cuts = [...FILES, 'fused.safetensors', 'proof.json', 'report.html'].flatMap((file) =>
  STAGES.map((stage): [string, Stage] => [file, stage]),
);
test.each(cuts)('bit-identical after kill -9 when %s is %s', async (...cut) => {
  const one = victim(`cut-${cut.join('-')}`);
  await cutWithin(one, cut);
  await expectSameEnd(one, 'whole');
});

test.each(Array.from({ length: 36 }, (_, i) => i + 1))(
  'bit-identical after kill -9 at batch %i of evaluations',
  async (nth) => {
    const one = victim(`evaluating-${nth}`);
    await cutWithin(one, ['', 'evaluating', nth]);
    await expectSameEnd(one, 'whole');
  },
);
