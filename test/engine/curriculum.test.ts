/** Training images that grow in phases. */
import { expect, test } from 'vitest';
import { readState } from '../../src/engine/engine.ts';
import { compilePrograms } from '../../src/train/programs.ts';
import { collect, expectSameState, setUp } from './cases/runs.ts';

test.each([
  [{}, 'in the first phase', 1, 2],
  [{}, 'where the second begins', 1, 4],
  [{ optimizer: 'adamw' }, 'in the second', 2, 1],
  [{ micro_batch_size: 3, freeze_stages: 1 }, 'in the last', 3, 3],
])('goes on with the same bits (%o) when it was interrupted %s', async (flags, _, epoch, step) => {
  const make = () => setUp({ size: 48, progressive: '32,40,48', phase_starts: '0.5,0.75', ...flags });
  const whole = make();
  const all = await collect(whole);
  expect(all.flatMap((event) => (event.type === 'phase' ? [[event.epoch, event.size]] : []))).toEqual([
    [0, 32],
    [2, 40],
    [3, 48],
  ]);
  const first = make();
  const controller = new AbortController();
  await collect({ ...first, signal: controller.signal }, (event) => {
    if (event.type === 'step' && event.epoch === epoch && event.step === step) controller.abort();
  });
  const second = { ...make(), resume: first.store.saved.last! };
  await collect(second);
  expectSameState(second.store.saved.last!.state, whole.store.saved.last!.state);
  expectSameState(second.store.saved.final!.state, whole.store.saved.final!.state);
});

test('the state is carried over to the bit when the images grow', async () => {
  const { recipe, model, engine } = setUp({ size: 48 });
  const sizes = { classes: 3, trainSize: 32, evalBatch: 4, calibrationBatch: 6 };
  const programs = await compilePrograms(engine, model, recipe, sizes, {});
  const before = readState(programs.step);
  await programs.resizeStep(48);
  expectSameState(readState(programs.step), before);
  await programs.dispose();
});
