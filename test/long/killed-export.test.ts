/** An export that is killed before any of the steps in which it changes the disk leaves the earlier bundle whole. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { saveModel } from '../../src/checkpoint/store-node.ts';
import { verifyBundle } from '../../src/export/verify-bundle-node.ts';
import { cli, temporaryFolder } from '../e2e/cli-process.ts';
import { countSteps, killExport } from '../e2e/killing-export.ts';
import { fruit } from '../engine/cases/fruit.ts';

const { folder, remove } = temporaryFolder();
afterAll(remove);

test('killed before every step', async () => {
  const model = join(folder, 'm.safetensors');
  await saveModel(model, fruit);
  const steps = await countSteps(folder, model);
  expect(steps).toBeGreaterThan(80);
  const bundle = join(folder, 'm-bundle');
  const earlier = readFileSync(join(bundle, 'SHA256SUMS'), 'utf8');
  for (let step = 0; step < steps; step++) {
    await killExport(folder, model, step, 'Another');
    const { passed } = await verifyBundle(bundle);
    expect(passed, `killed before step ${step}`).toBe(true);
    expect(readFileSync(join(bundle, 'SHA256SUMS'), 'utf8')).toBe(earlier);
  }
  expect((await cli(folder, 'export', model)).code).toBe(0);
  expect(readdirSync(folder).filter((name) => name.includes('bundle'))).toEqual(['m-bundle']);
});
