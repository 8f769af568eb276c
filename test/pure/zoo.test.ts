/** The registry of the zoo: counts equal to PyTorch's packages and near the published ones, graphs as they were, names that are near. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { bind } from '../../src/graph/bind.ts';
import { cost } from '../../src/graph/cost.ts';
import { graphToSvg } from '../../src/graph/draw.ts';
import { groupDigits, printGraph } from '../../src/graph/print.ts';
import { modelConfig } from '../../src/models/registry.ts';
import { ROUNDING, SIZE, ZOO, zooGraph, zooNet } from '../../src/models/zoo/registry.ts';
import { type GoldenNet, goldenOf } from '../engine/cases/zoo.ts';

const { nets } = JSON.parse(readFileSync('test/golden/zoo.json', 'utf8')) as { nets: Record<string, GoldenNet> };
/** One image of the size that a network is published for. */
const atItsSize = (name: string): { N: number; H: number; W: number } => {
  const { size = SIZE } = zooNet(name);
  return { N: 1, H: size, W: size };
};
const names = Object.keys(ZOO);

describe.each(names)('%s', (name) => {
  const net = zooNet(name);
  const counted = cost(bind(zooGraph(name, 'fused'), atItsSize(name)));
  const train = zooGraph(name, 'train');
  const golden = goldenOf(nets, name);

  test.skipIf(!golden)("has exactly the package's parameters and multiply-adds", () => {
    expect([counted.params, counted.macs]).toEqual([golden!.folded, golden!.macs]);
    if (train) {
      const { params, macs } = cost(bind(train, atItsSize(name)));
      expect([params, macs]).toEqual([golden!.params, golden!.train_macs]);
    }
  });

  test('is as large as published, within its tolerance, which is no larger than it must be', () => {
    const { published, differs } = net;
    const off = {
      params: Math.abs(counted.params / 1e6 / published.params - 1),
      macs: Math.abs(counted.macs / 1e6 / published.macs - 1),
    };
    for (const key of ['params', 'macs'] as const) {
      expect(off[key], key).toBeLessThan(differs?.[key] ?? ROUNDING);
      if (differs?.[key]) expect(off[key], key).toBeGreaterThan(Math.max(ROUNDING, differs[key] - 0.015));
    }
  });

  test('ends in 1000 logits at any image size that it takes', () => {
    const { sides } = net;
    const one = sides && 'only' in sides ? sides.only : undefined;
    const other = sides && 'multiplesOf' in sides ? [3 * sides.multiplesOf, sides.multiplesOf] : [225, 97];
    for (const [N, H, W] of [
      [2, one ?? 64, one ?? 64],
      [1, one ?? other[0]!, one ?? other[1]!],
    ] as const) {
      const { graph, shapes } = bind(train ?? zooGraph(name, 'fused'), { N, H, W });
      expect(shapes.get(graph.outputs.logits!)).toEqual([N, 1000]);
    }
  });
});

test("every entry of the packages' counts belongs to a network", () => {
  const known = new Set(names.map((name) => goldenOf(nets, name)));
  expect(Object.keys(nets).filter((name) => !known.has(nets[name]!))).toEqual([]);
  expect(Object.keys(nets)).toHaveLength(28);
});

test("the networks of the paper's Figure 2 are all there", () => {
  expect(names.filter((name) => ZOO[name]!.inFigure2)).toHaveLength(21);
});

/** The table of docs/zoo.md: what `published` and `differs` say, beside our counts. */
function docsTable(): string {
  const rows = names.map((name) => {
    const { title, published, follows, differs, inFigure2 } = ZOO[name]!;
    const { params, macs } = cost(bind(zooGraph(name, 'fused'), atItsSize(name)));
    const { params: theirs, macs: work, top1, source } = published;
    const place = source.replace(/^MobileOne, arXiv 2206.04040, /, '');
    const cells = [
      `\`${name}\``,
      `${title}${inFigure2 ? ' ◆' : ''}`,
      groupDigits(params),
      groupDigits(macs),
      `${theirs} M, ${work} M`,
      top1.toFixed(1),
      place,
      follows + (differs ? `; ${differs.why}` : ''),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  const head = ['name', 'network', 'parameters', 'MACs', 'published', 'top-1', 'published in', 'layers'];
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...rows, ''].join('\n');
}

test('docs/zoo.md has the table of the registry (UPDATE_GOLDEN=1 writes it)', () => {
  const path = 'docs/zoo.md';
  const text = readFileSync(path, 'utf8');
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, text.replace(/\| name \|[\s\S]*?\n(?!\|)/, docsTable()));
  expect(readFileSync(path, 'utf8')).toContain(docsTable());
});

/** UPDATE_GOLDEN=1 writes the files anew. */
test.each(['mobilenetv3_small_100', 'shufflenet_v2_x1_0', 'repvgg_a0', 'ghostnet_100', 'mobilevit_xxs'])(
  'the printed graph of %s is the golden one',
  (name) => {
    const bound = bind(zooGraph(name, 'fused'), atItsSize(name));
    const path = `test/golden/graphs/${name}.txt`;
    if (process.env.UPDATE_GOLDEN) writeFileSync(path, printGraph(bound));
    expect(existsSync(path)).toBe(true);
    expect(printGraph(bound)).toBe(readFileSync(path, 'utf8'));
  },
);

test('a drawing has one box a block', () => {
  const svg = graphToSvg(bind(zooGraph('resnet18', 'fused'), atItsSize('resnet18')));
  // conv1, maxpool, eight blocks, global_pool, fc
  expect(svg.match(/<g>/g)).toHaveLength(12);
  expect(svg).toContain('>layer4.1<');
});

test('the blocks of a transformer are drawn as attention', () => {
  const svg = graphToSvg(bind(zooGraph('deit_tiny_patch16_224', 'fused'), atItsSize('deit_tiny_patch16_224')));
  for (const block of ['patch_embed', 'cls_token', 'pos_embed', 'blocks.0', 'blocks.11', 'norm', 'head'])
    expect(svg).toContain(`>${block}<`);
  expect(svg).toContain('>attention<');
  expect(svg).not.toContain('squeeze-and-excite');
});

test('position embeddings hold for one size, which the graph takes', () => {
  for (const name of names) {
    const { sides } = ZOO[name]!;
    const [, , h] = zooGraph(name, 'fused').inputs[0]!.shape;
    expect(h, name).toBe(sides && 'only' in sides ? sides.only : 'H');
  }
  expect(() => bind(zooGraph('mobilevit_s', 'fused'), { N: 1, H: 224, W: 224 })).toThrow(
    'node "stages.4.1.unfold" (SpaceToDepth): the image 7×7 does not divide into blocks of 2',
  );
});

test('unknown names get a hint, and what can only be measured is not taken for a variant', () => {
  expect(() => zooNet('mobilenetv2_10')).toThrow(/no network "mobilenetv2_10"/);
  try {
    zooNet('resnet-18');
  } catch (error) {
    expect((error as { hint: string }).hint).toMatch(/^Did you mean resnet18\?/);
  }
  try {
    modelConfig('resnet18');
  } catch (error) {
    expect((error as Error).message).toMatch(/resnet18 can be measured, but not trained/);
  }
  expect(zooNet('ResNet18').title).toBe('ResNet-18');
});
