/** What the command line does when a thread of the engine dies in the middle of a step. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { breaking, DEATHS } from '../engine/cases/broken-worker.ts';
import { built, makeImages, start, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();

/** Writes a module that, loaded first, lets the last kernel thread of every team do `code` in its fourth run. */
function writeHook(name: string, code: string): string {
  const file = join(folder, name);
  writeFileSync(
    file,
    `import { syncBuiltinESMExports } from 'node:module';
    import workerThreads from 'node:worker_threads';
    const { Worker } = workerThreads;
    workerThreads.Worker = class extends Worker {
      constructor(source, options) {
        const { tid, threads } = options?.workerData ?? {};
        if (tid === undefined || tid !== threads - 1) super(source, options);
        else super(${JSON.stringify(breaking(code, 4))} + source, { ...options, resourceLimits: { maxOldGenerationSizeMb: 24 } });
      }
    };
    syncBuiltinESMExports();`,
  );
  return pathToFileURL(file).href;
}

describe.skipIf(!built)('mobileone train (built), when a thread of the engine', () => {
  beforeAll(() => makeImages(join(folder, 'photos'), 20));
  afterAll(remove);

  const cases = Object.entries(DEATHS).flatMap(([name, death], i) =>
    [2, 3].map((threads) => ({ name, ...death, threads, id: `${i}-${threads}` })),
  );
  it.each(cases)('$name (of $threads), says so and ends', async ({ code, reason, threads, id }) => {
    const args = ['train', 'photos', ...TINY, '--epochs', '3', '--out', id, '--threads', String(threads)];
    const env = { NODE_OPTIONS: `--import=${writeHook(`${id}.mjs`, code)}` };
    const { code: exit, err } = await start(folder, args, env).done;
    expect(err).toMatch(
      /error: A thread of the engine stopped \(thread . of .: .*\), so this program can't go on\.\nStart again/,
    );
    expect(err).toMatch(reason);
    expect(err).toContain(`mobileone train --resume ${id}`);
    expect(err).not.toMatch(/\n\s+at /);
    expect(exit).toBe(70);
  });
});
