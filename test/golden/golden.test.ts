/** Every committed golden case on every engine. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { countParams } from '../../src/graph/cost.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { readCase } from './case.ts';
import { checkCase } from './check.ts';
import { GOLDEN_ENGINES } from './engines.ts';

const CASES = fileURLToPath(new URL('cases/', import.meta.url));

describe.each(readdirSync(CASES))('%s', (name) => {
  test.each(GOLDEN_ENGINES)('$name', async ({ open, bound, float32 }) => {
    const checks = await checkCase(await readCase(CASES + name), await open(), bound, float32);
    expect(checks.filter(({ error, allowed }) => !(error <= allowed))).toEqual([]);
  });

  test('parameter counts', async () => {
    const { graph, paramsTrain, paramsFused } = await readCase(CASES + name);
    expect([countParams(graph), countParams(fuseGraph(graph))]).toEqual([paramsTrain, paramsFused]);
  });
});
