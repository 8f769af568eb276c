/** `mobileone bench` as a process: what a kill leaves. */
import { spawn } from 'node:child_process';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Session } from '../../src/bench/results/session.ts';
import { openResults } from '../../src/bench/results/store-node.ts';
import { saveTinyModel } from '../tiny-model.ts';
import { built, start, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const store = join(folder, '.results');
const ROWS = 60;

describe.skipIf(!built)('killed while measuring or storing (built)', () => {
  afterAll(remove);

  it('a killed measurement keeps nothing of itself, and what was kept before', async () => {
    await saveTinyModel(join(folder, 'tiny.safetensors'));
    const args = ['bench', 'tiny.safetensors', '--runtime', 'wasm', '--json'];
    const { out } = await start(folder, [...args, '--rounds', '1', '--runs', '1']).done;
    const session = JSON.parse(out) as Session;
    const before = await openResults(store).read('measurements');
    expect(before.rows.map((row) => row.session)).toEqual([session.id, session.id]);
    const run = start(folder, [...args, '--rounds', '100000']);
    await new Promise((done) => setTimeout(done, 1500));
    run.child.kill('SIGKILL');
    await run.done;
    expect(await openResults(store).read('measurements')).toEqual(before);
    await killWhileStoring(session);
  });
});

/** Kill -9 at random moments of writing loses nothing that was acknowledged, and breaks nothing. */
async function killWhileStoring(first: Session): Promise<void> {
  const store = join(folder, 'killed');
  const script = `
      import { openResults } from ${JSON.stringify(resolve('dist/node.js'))};
      const results = openResults(${JSON.stringify(store)});
      const session = JSON.parse(process.argv[1]);
      for (let i = 0; ; i++) {
        await results.add({ ...session, id: i.toString(16).padStart(16, '0') });
        process.stdout.write('kept\\n');
      }`;
  const many = Array.from({ length: ROWS }, () => first.measurements[0]!);
  const session = JSON.stringify({ ...first, measurements: many });
  let kept = 0;
  for (let kill = 0; kill < 6; kill++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, session]);
    await new Promise<void>((ended) => {
      child.stdout.on('data', (data: Buffer) => {
        const before = kept;
        kept += data.toString().split('kept').length - 1;
        // Random enough: the moments of a busy machine.
        if (before === 0 || kept > before) setTimeout(() => child.kill('SIGKILL'), Math.random() * 60);
      });
      child.on('close', () => ended());
    });
    const { rows, unreadable } = await openResults(store).read('measurements');
    expect(unreadable).toEqual([]);
    expect(rows.length % ROWS).toBe(0);
    expect(rows.length / ROWS).toBeGreaterThanOrEqual(kept);
    expect(rows.length / ROWS).toBeLessThanOrEqual(kept + kill + 1);
  }
  expect(kept).toBeGreaterThanOrEqual(6);
}
