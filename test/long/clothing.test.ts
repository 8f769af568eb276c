/**
 * Training to a stated accuracy on real photos: S0 from scratch on ten classes of clothes, three seeds, against what
 * PyTorch reaches with the same settings (23.7 % on the test images; docs/log.md).
 * Looks for the photos in MOBILEONE_DATA or ../shared/data; skipped, saying so, when they are absent.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const DATA = join(process.env.MOBILEONE_DATA ?? join(ROOT, '../shared/data'), 'clothing');
const PYTORCH_TOP1 = 23.7;

test.skipIf(!existsSync(DATA))(
  'S0 on clothes reaches the PyTorch baseline, mean of three seeds (needs the photos)',
  () => {
    const cli = join(ROOT, 'dist/cli.js');
    const folder = mkdtempSync(join(tmpdir(), 'mobileone-clothing-'));
    const recipe = [
      '--variant',
      's0',
      '--size',
      '112',
      '--epochs',
      '14',
      '--batch-size',
      '32',
      '--lr',
      '0.05',
      '--warmup-epochs',
      '1',
      '--weight-decay',
      '1e-4',
      '--weight-decay-end',
      '1e-4',
      '--label-smoothing',
      '0.1',
      '--ema-decay',
      '0',
      '--crop-scale-min',
      '0.25',
    ];
    const accuracies = [0, 1, 2].map((seed) => {
      const run = join(folder, `seed${seed}`);
      execFileSync(process.execPath, [cli, 'train', DATA, ...recipe, '--seed', String(seed), '--out', run], {
        stdio: 'inherit',
      });
      const answer = execFileSync(process.execPath, [cli, 'eval', run, join(DATA, 'test'), '--json'], {
        encoding: 'utf8',
      });
      return (JSON.parse(answer.trim().split('\n').at(-1)!) as { top1: number }).top1;
    });
    console.log(`test top-1 of seeds 0, 1, 2: ${accuracies.map((value) => value.toFixed(1)).join(', ')} %`);
    expect(accuracies.reduce((a, b) => a + b, 0) / accuracies.length).toBeGreaterThanOrEqual(PYTORCH_TOP1);
  },
);
