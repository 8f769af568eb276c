/** Every committed golden case on every engine. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { countParams } from '../../src/graph/cost.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { rounds } from '../rounds.ts';
import { readCase } from './case.ts';
import { checkCase, DRAWS, float32Movement, isUndecidable, passes, relativeError } from './check.ts';
import { GOLDEN_ENGINES } from './engines.ts';

const CASES = fileURLToPath(new URL('cases/', import.meta.url));

const cases = new Map<string, ReturnType<typeof readCase>>();

/** A case, read once: what the reference comes to is kept with it. */
function caseOf(name: string): ReturnType<typeof readCase> {
  const known = cases.get(name) ?? readCase(CASES + name);
  cases.set(name, known);
  return known;
}

const movements = new Map<string, Promise<ReadonlyMap<string, number>>>();

/** Conditioning of a case, measured once. */
function movementOf(name: string): Promise<ReadonlyMap<string, number>> {
  const known = movements.get(name) ?? caseOf(name).then((one) => float32Movement(one, rounds(DRAWS)));
  movements.set(name, known);
  return known;
}

describe.each(readdirSync(CASES))('%s', (name) => {
  test.each(GOLDEN_ENGINES)('$name', async ({ open, tolerance, float32 }) => {
    const one = await caseOf(name);
    const checks = await checkCase(one, await open(), tolerance, float32 ? await movementOf(name) : undefined);
    expect(checks.filter((check) => !passes(check))).toEqual([]);
    // Only the trajectory of apple-k4 is chaotic (BatchNorm over four values, rate 0.1); all else must be decided.
    const trajectory = ['losses of three steps', 'parameters after three steps', 'eval logits after three steps'];
    const undecidable = checks.filter(isUndecidable).map(({ quantity }) => quantity);
    expect(undecidable).toEqual(float32 && name === 'apple-k4' ? trajectory : []);
  });

  test('parameter counts', async () => {
    const { graph, paramsTrain, paramsFused } = await caseOf(name);
    expect([countParams(graph), countParams(fuseGraph(graph))]).toEqual([paramsTrain, paramsFused]);
  });

  test('has an answer for every gradient, every statistic and every fused weight', async () => {
    const { graph, io, fused } = await caseOf(name);
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
