/** A tiny run with everything on whose state or randomness could be lost when it is killed. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { cli, makeImages, TINY } from './cli-process.ts';

/** Arguments of the run; 6 epochs of 4 steps, in three phases, a checkpoint after every step. */
export const EVERYTHING: readonly string[] = [
  ...['train', 'photos', ...TINY, '--size', '64', '--progressive', '32,48,64', '--phase-starts', '0.3,0.6'],
  ...['--epochs', '6', '--checkpoint-every', '1e-9', '--pretrained', 'teacher', '--freeze-stages', '2'],
  ...['--optimizer', 'adamw', '--lr', '0.003', '--clip-grad', '1', '--micro-batch-size', '4', '--ema-decay', '0.9'],
  ...['--layer-decay', '0.9', '--warmup-epochs', '1', '--sampler', 'balanced', '--teacher', 'teacher'],
  ...['--mixup', '0.2', '--cutmix', '1', '--auto-augment', 'randaugment', '--auto-augment-strength', '0.3,0.7,1'],
  ...['--reprob', '0.5', '--rotate', '10', '--hue', '0.1'],
];

/** Makes the photos, of classes that are not alike in number, and the teacher. */
export async function makeVictims(folder: string): Promise<void> {
  await makeImages(join(folder, 'photos'), 14);
  for (const name of ['blue/0.png', 'blue/1.png', 'red/0.png']) rmSync(join(folder, 'photos', name));
  expect((await cli(folder, 'train', 'photos', ...TINY, '--epochs', '1', '--out', 'teacher')).code).toBe(0);
}
