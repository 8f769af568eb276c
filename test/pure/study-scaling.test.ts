/** The study of scaling: its networks, and whether it finds what was put into synthetic times. */
import { describe, expect, it } from 'vitest';
import type { layersOf } from '../../src/bench/predict/layers.ts';
import { bind } from '../../src/graph/bind.ts';
import { cost } from '../../src/graph/cost.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { VARIANTS } from '../../src/models/mobileone.ts';
import { ZOO } from '../../src/models/zoo/registry.ts';
import { measuredGraph } from '../../src/studies/candidates.ts';
import { scaling } from '../../src/studies/scaling.ts';
import {
  changed,
  countedLayers,
  cutAfter,
  PARTS,
  partOf,
  sameLayers,
  withBranches,
} from '../../src/studies/scaling-nets.ts';
import { difference } from '../../src/studies/scaling-times.ts';
import type { Candidate, Measured, Timed } from '../../src/studies/study.ts';
import { syntheticContext } from '../study-context.ts';

const DIMS = { N: 1, H: 224, W: 224 };
const S0 = 'mobileone_s0';

/** Milliseconds that a node of a part takes, by a rule that the study must find again. */
const PACE = [3, 2, 1, 0.5, 0.25, 4];

function timeOf(candidate: Candidate): number {
  const { graph, shapes } = bind(measuredGraph(candidate), DIMS);
  const counts = cost({ graph, shapes });
  const each = graph.nodes.map((node, i) => {
    const part = /one_position|features/.test(node.name) ? undefined : partOf(node);
    return part === undefined ? 0 : (PACE[part]! * counts.nodes[i]!.macs) / 1e8;
  });
  return each.reduce((a, b) => a + b, 0);
}

const timed = (name: string, mean: number, reference = 10): Timed => ({
  ...{ name, runtime: 'wasm', version: 'wasm 1', threads: 1, macs: 1, params: 1, mean, minimum: mean, median: mean },
  ...{ interval: [0.99 * mean, 1.01 * mean], roundMeans: [mean - 0.1, mean, mean + 0.1], noise: [], reference },
  referenceRounds: [],
});

/** Measures by the rule. */
async function measure(candidates: readonly Candidate[]): Promise<Measured> {
  const rows = candidates.map((candidate) => {
    const { macs, params } = cost(bind(measuredGraph(candidate), DIMS));
    return { ...timed(candidate.name, timeOf(candidate)), macs, params };
  });
  return { protocol: { warmup: 1, rounds: 3, runsPerRound: 5, trim: 1 }, rows, refused: [], notes: [] };
}

describe('networks', () => {
  it.each(Object.keys(VARIANTS))('%s: the cuts have the layers up to a part, and nothing of the next', (variant) => {
    const net = `mobileone_${variant}`;
    const whole = cost(bind(fuseGraph(ZOO[net]!.build()), DIMS));
    let before = 0;
    for (let part = 0; part < PARTS.length - 1; part++) {
      const graph = fuseGraph(cutAfter(net, part).build());
      const { macs, params } = cost(bind(graph, DIMS));
      const own = countedLayers(net).filter((layer) => layer.part === part);
      expect(macs - before).toBe(own.reduce((sum, layer) => sum + layer.macs, 0));
      expect(Object.keys(graph.params).every((name) => partOf({ kind: 'Conv', name }) <= part)).toBe(true);
      expect(params).toBeLessThan(whole.params);
      before = macs;
    }
    const counted = countedLayers(net);
    expect(counted.reduce((sum, layer) => sum + layer.macs, 0)).toBe(whole.macs);
    expect(counted.reduce((sum, layer) => sum + layer.params, 0)).toBe(whole.params);
  });

  it('has k branches until it is fused, and is the same for every k then', () => {
    for (const k of [0, 1, 2, 3, 4, 5]) {
      const graph = withBranches(S0, k).build();
      expect(sameLayers(graph, ZOO[S0]!.build())).toBe(true);
      const conv = measuredGraph(withBranches(S0, k)).nodes.filter(({ kind }) => kind === 'Conv').length;
      // 21 blocks of two layers; the pointwise ones that change the channels have neither scale nor skip.
      const bare = graph.nodes.filter(
        (node) => node.kind === 'RepConv' && !node.attrs.scale && !node.attrs.skip,
      ).length;
      expect(conv).toBe(k > 0 ? 42 * k + 21 + 2 : bare + 21 + 2);
    }
    expect(sameLayers(withBranches(S0, 1).build(), withBranches('mobileone_s1', 1).build())).toBe(false);
  });

  it('moves blocks', () => {
    expect(changed([2, 8, 10, 1], { 2: -1, 3: 1 })).toEqual([2, 8, 9, 2]);
  });
});

it('compares in turn what was measured in turn', () => {
  const [a, b] = [timed('a', 5), timed('b', 3)];
  expect(difference(a, b)).toEqual({ mean: 2, interval: [expect.closeTo(2, 9), expect.closeTo(2, 9)] });
  // In the other group the machine was a tenth slower.
  const apart = difference(a, timed('b', 3.3, 11));
  expect(apart.mean).toBeCloseTo(2, 9);
  expect(apart.interval[1] - 2).toBeCloseTo(Math.hypot(0.05, 0.03), 9);
  // The reference network is there in every group, round by round.
  const besideReference = { ...a, reference: 3.6, referenceRounds: [3.5, 3.6, 3.7] };
  expect(difference(besideReference, timed(S0, 9, 11))).toEqual({
    mean: expect.closeTo(1.4, 9),
    interval: [expect.closeTo(1.4, 9), expect.closeTo(1.4, 9)],
  });
});

it('finds the times of parts, blocks and branches that were put in', async () => {
  const context = { ...syntheticContext({ runtimes: ['wasm'], nets: [S0] }), measure };
  const { tables, finding, sections } = await scaling.run(context);
  const rows = (name: string) => tables.find((table) => table.name === name)!.rows;
  const parts = rows('parts');
  expect(parts.map(({ part }) => part)).toEqual(PARTS);
  parts.slice(0, -1).forEach(({ ps_per_mac }, part) => {
    expect(ps_per_mac).toBeCloseTo(PACE[part]! * 10, 6);
  });
  expect(parts.reduce((sum, { share }) => sum + Number(share), 0)).toBeCloseTo(100, 0);
  const blocks = rows('blocks');
  expect(blocks).toHaveLength(7);
  for (const { change, more_ms, macs } of blocks.slice(0, 4))
    expect(Number(more_ms)).toBeCloseTo((PACE[Number(String(change).at(-1))]! * Number(macs)) / 100, 2);
  const forms = rows('forms');
  expect(forms.map(({ k }) => k)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(forms.map(({ times }) => Number(times))).toEqual(forms.map(({ times }) => Number(times)).toSorted());
  expect(new Set(forms.map(({ fused_ms }) => fused_ms)).size).toBe(1);
  expect(finding).toContain('in stage 2, at 28 px');
  expect(sections.at(-1)!.text).toContain('the same chain of convolutions for every k');
});

it('adds single layers up by part where they can be timed', async () => {
  const net = 'mobileone_s1';
  const timeLayers = async (layers: readonly ReturnType<typeof layersOf>[number][]) =>
    layers.map((layer) => {
      const mean = layer.bytes / 1e7;
      return { layer, mean, interval: [0.9 * mean, 1.1 * mean] as const };
    });
  const context = syntheticContext({ runtimes: ['wasm'], nets: [net], timeLayers });
  const { tables, figures } = await scaling.run(context);
  const sum = tables.find(({ name }) => name === 'parts')!.rows.reduce((all, row) => all + Number(row.layers_ms), 0);
  expect(sum).toBeCloseTo(countedLayers(net).reduce((all, { layer }) => all + layer.bytes, 0) / 1e7, 2);
  expect(figures.map(({ name }) => name)).toContain('kinds');
});
