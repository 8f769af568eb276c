/** Every committed golden case on every engine. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { countParams } from '../../src/graph/cost.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { readCase } from './case.ts';
import { checkCase, passes, relativeError } from './check.ts';
import { GOLDEN_ENGINES } from './engines.ts';

const CASES = fileURLToPath(new URL('cases/', import.meta.url));

/**
 * What the wasm engine does not reach: case → quantity → the error it must stay under. `npm run golden` counts
 * these as failures. The last stage of apple-k4 normalizes over four values, and three steps at rate 0.1 are chaotic:
 * a relative change of 6e-8 in the weights at the start moves its gradients by 1e-4 and the third loss by up to 6 %.
 */
const KNOWN_SHORTFALLS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'apple-k4': {
    gradients: 3e-4,
    'losses of three steps': Number.POSITIVE_INFINITY,
    'parameters after three steps': Number.POSITIVE_INFINITY,
    'eval logits after three steps': Number.POSITIVE_INFINITY,
  },
};

describe.each(readdirSync(CASES))('%s', (name) => {
  test.each(GOLDEN_ENGINES)('$name', async ({ name: engine, open, tolerance }) => {
    const checks = await checkCase(await readCase(CASES + name), await open(), tolerance);
    const known = engine.startsWith('wasm') ? (KNOWN_SHORTFALLS[name] ?? {}) : {};
    const beyond = checks.filter((check) => !passes(check) && !(check.worstError < known[check.quantity]!));
    expect(beyond).toEqual([]);
  });

  test('parameter counts', async () => {
    const { graph, paramsTrain, paramsFused } = await readCase(CASES + name);
    expect([countParams(graph), countParams(fuseGraph(graph))]).toEqual([paramsTrain, paramsFused]);
  });

  test('has an answer for every gradient, every statistic and every fused weight', async () => {
    const { graph, io, fused } = await readCase(CASES + name);
    const behind = (prefix: string): string[] =>
      [...io.keys()].filter((key) => key.startsWith(prefix)).map((key) => key.slice(prefix.length));
    const params = Object.keys(graph.params);
    expect(behind('grad.').sort()).toEqual(params.filter((key) => !key.includes('running_')).sort());
    expect(behind('after_forward.').sort()).toEqual(params.filter((key) => key.includes('running_')).sort());
    expect([...fused.keys()].sort()).toEqual(Object.keys(fuseGraph(graph).params).sort());
  });
});

test('an error is relative to the largest value, and infinite where there is no number', () => {
  const of = (...values: number[]) => ({ shape: [values.length], data: Float64Array.from(values) });
  expect(relativeError(of(4, 1.5), of(4, 1))).toBe(0.125);
  expect(relativeError(of(Number.NaN, 1), of(4, 1))).toBe(Number.POSITIVE_INFINITY);
  expect(relativeError(of(4, 1), of(4, Number.NaN))).toBe(Number.POSITIVE_INFINITY);
  expect(relativeError(of(4), of(4, 1))).toBe(Number.POSITIVE_INFINITY);
});
