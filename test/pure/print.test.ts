import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { modelGraph } from '../../src/checkpoint/model-file.ts';
import { bind } from '../../src/graph/bind.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import { graphToSvg } from '../../src/graph/draw.ts';
import { expandBranches } from '../../src/graph/passes/branches.ts';
import { groupDigits, printGraph } from '../../src/graph/print.ts';
import { mobileOne, VARIANTS, type Variant } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { trainStep } from '../../src/step/train-step.ts';

const FOLDER = 'test/golden/graphs';
const AT_224 = { N: 1, H: 224, W: 224 };
const cases = (Object.keys(VARIANTS) as Variant[]).flatMap((variant) =>
  (['train', 'fused'] as const).map((form) => ({ variant, form })),
);

/** UPDATE_GOLDEN=1 writes the files anew. */
test.each(cases)('the printed graph of $variant, $form form, is the golden one', ({ variant, form }) => {
  const text = printGraph(bind(modelGraph(VARIANTS[variant], form), AT_224));
  const path = `${FOLDER}/${variant}-${form}.txt`;
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(path, text);
  }
  expect(existsSync(path)).toBe(true);
  expect(text).toBe(readFileSync(path, 'utf8'));
});

test('any graph can be printed and drawn: training steps, branches, preprocessing', () => {
  const config = { ...VARIANTS.s4, depths: [1, 1, 1, 1], se_blocks: [0, 0, 1, 1], num_classes: 3 } as const;
  const graph = withPreprocess(mobileOne(config, { name: 'a <b> & "c"' }), { mean: [0, 0, 0], std: [1, 1, 1] });
  const step = trainStep(graph, 3, { momentum: 0.9, nesterov: false, ema: true });
  for (const each of [graph, step, expandBranches(graph)]) {
    const bound = bind(each, { N: 2, H: 32, W: 48 });
    expect(printGraph(bound).split('\n')).toHaveLength(each.nodes.length + 9);
    const svg = graphToSvg(bound);
    expect(svg).toContain('a &lt;b&gt; &amp; &quot;c&quot;');
    expect(svg).not.toMatch(/<b>|href|url\((?!#)/);
    expect(svg.match(/<g>/g)).toHaveLength(svg.match(/<\/g>/g)!.length);
  }
});

test('a block is one box, and the legend names the kinds that are there', () => {
  const svg = graphToSvg(bind(modelGraph(VARIANTS.s4, 'fused'), AT_224));
  expect(svg.match(/<g>/g)).toHaveLength(1 + 42 + 1);
  expect(svg).toContain('14,838,352 parameters');
  for (const label of ['Conv', 'with squeeze-and-excite', 'classifier']) expect(svg).toContain(`>${label}<`);
  expect(svg).not.toContain('RepConv');
});

test('an empty graph has totals too', () => {
  const g = graphBuilder('nothing');
  const bound = bind(g.build({ y: g.input('x', [1]) }), {});
  expect(printGraph(bound)).toContain('0 nodes');
  expect(graphToSvg(bound)).toContain('0 parameters');
});

test.each([
  [0, '0'],
  [999, '999'],
  [1000, '1,000'],
  [1234567, '1,234,567'],
])('digits of %i', (count, text) => {
  expect(groupDigits(count)).toBe(text);
});
