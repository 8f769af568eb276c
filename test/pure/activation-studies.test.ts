/** The studies of activations and of blocks: the network they measure, how they compare, and what they conclude of times that are given. */
import { describe, expect, it } from 'vitest';
import { bind } from '../../src/graph/bind.ts';
import { ACTIVATIONS, type ActivationName } from '../../src/models/zoo/activations.ts';
import { type Addition, thirtyLayers } from '../../src/models/zoo/thirty-layers.ts';
import { PAPER_RATIOS } from '../../src/studies/activation-tables.ts';
import { activations } from '../../src/studies/activations.ts';
import { moreOf } from '../../src/studies/block-tables.ts';
import { blocks } from '../../src/studies/blocks.ts';
import { countsOf } from '../../src/studies/candidates.ts';
import { excess, ratio, sign } from '../../src/studies/in-turn.ts';
import { groupsOf } from '../../src/studies/plan.ts';
import type { Candidate, StudyContext, StudyResult, Timed } from '../../src/studies/study.ts';
import { syntheticContext } from '../study-context.ts';

const counts = (candidate: Pick<Candidate, 'build'>) => countsOf({ name: 'net', ...candidate });
const kindsOf = (graph: ReturnType<typeof thirtyLayers>): string[] => graph.nodes.map(({ kind }) => kind);

describe('the thirty layers', () => {
  it('are thirty convolutions with thirty activations', () => {
    const kinds = kindsOf(thirtyLayers());
    expect(kinds.filter((kind) => kind === 'Conv')).toHaveLength(30);
    expect(kinds.filter((kind) => kind === 'Relu')).toHaveLength(30);
    expect(counts({ build: () => thirtyLayers() })).toMatchObject({ macs: 709_383_680, params: 4_414_312 });
    const { graph, shapes } = bind(thirtyLayers(), { N: 2, H: 64, W: 64 });
    expect(shapes.get(graph.outputs.logits!)).toEqual([2, 1000]);
  });

  it.each(Object.keys(ACTIVATIONS) as ActivationName[])('%s is behind every one of them', (activation) => {
    const { nodes } = thirtyLayers({ activation });
    expect(nodes.filter(({ name }) => /^(stem|last|stages\.\d\.\d\.(dw|pw))\.act$/.test(name))).toHaveLength(30);
  });

  it('move as many bytes for ten skip connections as for ten squeeze-and-excites, within what the small layers weigh', () => {
    const [skip, se] = (['skip', 'se'] as const).map((addition: Addition) => moreOf(addition).bytes);
    expect(se! / skip!).toBeGreaterThan(1);
    expect(se! / skip!).toBeLessThan(1.05);
    const parts = moreOf('pool').bytes + moreOf('gate').bytes;
    expect(Math.abs(parts / skip! - 1)).toBeLessThan(0.01);
  });
});

const timed = (name: string, roundMeans: readonly number[], reference = 10): Timed => ({
  ...{ name, runtime: 'wasm', version: 'wasm 1', threads: 1, macs: 1, params: 1, roundMeans, reference, noise: [] },
  ...{ mean: roundMeans.reduce((a, b) => a + b, 0) / roundMeans.length, interval: [0, 0], minimum: 0, median: 0 },
  referenceRounds: [],
});

describe('comparing', () => {
  it('draws rounds together where they were measured in turn: what slows both tells nothing', () => {
    const slowed = [1, 1.5, 1, 2, 1.2];
    const [a, b] = [
      timed(
        'a',
        slowed.map((pace) => 20 * pace),
      ),
      timed(
        'b',
        slowed.map((pace) => 10 * pace),
      ),
    ];
    expect(ratio(a, b).interval.map((end) => end.toFixed(9))).toEqual(['2.000000000', '2.000000000']);
    expect(ratio(a, b).inTurn).toBe(true);
    expect(excess(a, b).value).toBeCloseTo(10 * (6.7 / 5));
  });

  it('brings measurements of different groups to one pace', () => {
    const [a, b] = [timed('a', [22, 22, 22], 11), timed('b', [10, 10, 10], 10)];
    expect(ratio(a, b).value).toBeCloseTo(2);
    expect(ratio(a, b).inTurn).toBe(false);
  });

  it('claims no more than few rounds can tell', () => {
    const [a, b] = [timed('a', [21, 22, 23]), timed('b', [20, 20, 20])];
    const { value, interval } = excess(a, b);
    // 4.303 · 1 / √3
    expect([value, ...interval].map((number) => number.toFixed(2))).toEqual(['2.00', '-0.48', '4.48']);
    expect(sign({ value, interval, inTurn: true })).toBe(0);
  });
});

/** Runs a study on times that a function gives: `rounds` of noise up to 1 %. */
async function on(
  study: { run(context: StudyContext): Promise<StudyResult> },
  msOf: (name: string, threads: number) => number,
  parts: Partial<StudyContext> = {},
): Promise<StudyResult> {
  const threads = parts.threads ?? [1];
  return await study.run({
    ...syntheticContext(parts),
    measure: async (candidates) => ({
      protocol: { warmup: 1, rounds: 5, runsPerRound: 5, trim: 1 },
      rows: threads.flatMap((count) =>
        candidates.map(({ name }) => ({
          ...timed(
            name,
            [1, 1.004, 0.998, 1.001, 0.997].map((noise) => noise * msOf(name, count)),
          ),
          threads: count,
        })),
      ),
      refused: [],
      notes: [],
    }),
  });
}

const textOf = ({ sections }: StudyResult): string => sections.map(({ text }) => text).join('\n');

describe('activations', () => {
  it('has the ratios of the paper', () => {
    expect(PAPER_RATIOS.dynamic_relu_a).toBeCloseTo(178.75, 1);
    expect(Object.keys(PAPER_RATIOS)).toHaveLength(7);
  });

  it("measures the paper's seven in turn: they make one group", async () => {
    const asked: Candidate[] = [];
    const context = syntheticContext();
    await activations.run({
      ...context,
      measure: (all) => {
        asked.push(...all);
        return context.measure(all);
      },
    });
    const [first, second] = groupsOf(asked.map((one) => ({ name: one.name, params: counts(one).params })));
    expect(first!.map(({ name }) => name)).toEqual(Object.keys(PAPER_RATIOS).map((name) => `thirty_${name}`));
    expect(second!.map(({ name }) => name)).toContain('thirty_relu_again');
  });

  it('agrees with the paper where the times are its own', async () => {
    const times = new Map(Object.entries(PAPER_RATIOS).map(([name, value]) => [`thirty_${name}`, 1.53 * value]));
    const result = await on(activations, (name) => times.get(name)!, { quick: true });
    expect(result.finding).toContain('DynamicReLU-A, takes 179 times as long');
    expect(textOf(result)).toContain('nothing is faster than ReLU');
    expect(textOf(result)).toContain("correlates with the paper's by ρ 1.00");
    expect(textOf(result)).toContain('the dynamic activations are the dearest of all');
  });

  it('says so where it does not agree', async () => {
    const result = await on(activations, (name) => (name === 'thirty_silu' ? 30 : name === 'thirty_gelu' ? 8 : 10));
    expect(textOf(result)).toContain('ReLU is the fastest** on 0 of 1 runtime only');
    expect(textOf(result)).toContain('on no runtime here are the dynamic activations the dearest');
  });
});

describe('blocks', () => {
  const TIMES: Readonly<Record<string, number>> = {
    ...{ thirty_relu: 20, thirty_skip: 21, thirty_se: 24, thirty_se_skip: 25, thirty_gate: 20.7 },
    ...{ thirty_pool: 20.5, thirty_excite: 23.2 },
  };

  it('tells bytes from waiting', async () => {
    const result = await on(blocks, (name, threads) => TIMES[name]! / (threads === 2 && name !== 'thirty_se' ? 2 : 1), {
      threads: [1, 2],
    });
    expect(result.finding).toMatch(/skip connections add 5\.0 %, .* add 20\.0 %\./);
    expect(result.finding).toContain('is not memory access');
    expect(textOf(result)).toContain('It costs more than its bytes**: on every runtime measured');
    expect(textOf(result)).toContain('it does not speed up as the network does');
    const stack = result.figures.find(({ kind }) => kind === 'stack');
    expect(stack?.title).toContain('two small layers');
    expect(result.tables.map(({ name }) => name)).toEqual(['blocks', 'threads', 'latencies']);
  });

  it('says what can not be told', async () => {
    const result = await on(blocks, () => 20);
    expect(result.finding).toContain('can not be told from nothing');
    expect(textOf(result)).toContain('Squeeze-and-excite costs time**: not shown on any runtime measured');
    expect(result.notes.join()).toContain('--threads 1,2');
  });
});
