/**
 * Weights that timm, Apple's code and MMPretrain make themselves go through `mobileone import` into each of the others,
 * which load them strictly and give the same answers. Needs a Python with torch, timm and safetensors (and
 * segmentation_models_pytorch for Apple's code, mmpretrain for its own), python3 or the one in MOBILEONE_PYTHON.
 */
import { execFile, spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { built, cli, temporaryFolder } from '../e2e/cli-process.ts';

const PYTHON = process.env.MOBILEONE_PYTHON ?? 'python3';
const SCRIPT = resolve('test/golden/frameworks.py');
const able = spawnSync(PYTHON, ['-c', 'import torch, timm, safetensors']).status === 0;
const { folder, remove } = temporaryFolder();
afterAll(remove);

const python = async (what: string): Promise<string> =>
  (await promisify(execFile)(PYTHON, [SCRIPT, what, folder])).stdout.trim();

test.skipIf(!able || !built)(
  'weights go from every framework to every other, strictly (skipped without the build, or torch and timm in Python)',
  { timeout: 1_200_000 },
  async () => {
    const frameworks = (await python('list')).split(' ');
    await python('make');
    for (const from of frameworks) {
      for (const name of ['s0', 's0-fused', 's4', 's4-fused'].map((variant) => `${from}-${variant}`)) {
        for (const to of frameworks) {
          const out = join(folder, `${name}-as-${to}.safetensors`);
          const { code, err } = await cli(folder, 'import', `${name}.pth`, '--to', out, '--naming', to);
          expect([code, err]).toEqual([0, '']);
        }
      }
    }
    const lines = (await python('check')).split('\n');
    console.info(lines.join('\n'));
    expect(lines).toHaveLength(frameworks.length ** 2 * 4);
  },
);
