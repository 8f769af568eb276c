/** The report and its figures: self-contained, complete, safe against names that look like HTML. */
import { expect, test } from 'vitest';
import { describeDevice } from '../../src/bench/device-node.ts';
import type { Measurement } from '../../src/bench/measure.ts';
import type { EpochMetrics } from '../../src/core/events.ts';
import { calibrationOf } from '../../src/evaluate/calibration.ts';
import { confusionFigure, latencyFigure } from '../../src/report/bars.ts';
import { accuracyFigure, lossFigure } from '../../src/report/curves.ts';
import { drawFigure } from '../../src/report/draw.ts';
import { type ReportData, renderReport } from '../../src/report/html.ts';

const epochs = [0, 1, 2].map(
  (epoch): EpochMetrics => ({
    ...{
      epoch,
      trainLoss: 4 - epoch,
      trainTop1: 20 * epoch,
      valLoss: 4.4 - epoch,
      valTop1: 30 * epoch,
      valTop5: 40 * epoch,
    },
    ...{ lr: 0.1, weightDecay: 1e-4, imagesPerSecond: 600, seconds: 10 * epoch },
  }),
);
const timing = (name: string, runtime: string, mean: number): Measurement => ({
  ...{ name, runtime, threads: 1, coldStart: 40, firstRun: 9, mean, minimum: mean - 0.1, median: mean, runs: 100 },
  ...{
    interval: [mean - 0.2, mean + 0.2] as const,
    protocol: '0123abcd',
    key: 'wasm',
    settings: '',
    load: 10,
    compile: 30,
  },
  ...{ roundMeans: [mean], noise: [] },
});
const latency = [
  timing('train form, branches', 'wasm, SIMD', 6),
  timing('fused', 'wasm, SIMD', 2),
  timing('fused', 'onnxruntime-node 1.30.0', 1),
];
const png = Uint8Array.from([137, 80, 78, 71, 13, 10, 26, 10, 1, 2, 3]);
const proof = {
  ...{ images: 12, maxLogitDifference: 1e-6, maxAbsLogit: 4, relativeDifference: 2.5e-7, top1Agreement: 100, ties: 0 },
  ...{ bound: 1e-4, passed: true, engine: 'wasm SIMD' },
};

const data: ReportData = {
  title: 'Cats & <dogs>',
  summary: 'Two classes.',
  headlines: [{ value: '60 %', text: 'top-1' }],
  epochs,
  baseline: { name: 'nearest neighbor', top1: 25 },
  results: { columns: ['model', 'top-1'], rows: [['MobileOne', '60 %']] },
  examples: [
    {
      picture: png,
      label: 'cat',
      predictions: [
        { name: 'cat', probability: 0.75 },
        { name: '<dog>', probability: 0.05 },
      ],
    },
  ],
  confused: { unit: 'images', pairs: [{ label: 'cat', predicted: '<dog>', value: 3, pictures: [png, png] }] },
  calibration: {
    ...calibrationOf([
      { label: 0, predicted: 0, confidence: 0.9 },
      { label: 0, predicted: 1, confidence: 0.8 },
    ]),
    images: 2,
  },
  classes: [
    { name: 'cat', accuracy: 80, images: 5 },
    { name: '<dog>', accuracy: 40, images: 5 },
  ],
  fed: { images: [{ png, label: '<dog>' }], text: 'The first images.' },
  proofs: [{ name: 'fused against trained', proof }],
  exports: [
    { name: 'model.onnx', title: 'ONNX', precision: 'fp32', bytes: 2_345_678, check: 'twelve <real> images' },
    { name: 'm.mlpackage', title: 'Core ML', precision: 'fp16', bytes: 1e6, check: 'not checked: no runtime here' },
  ],
  latency: { rows: latency, device: describeDevice(), protocol: '20 rounds of 50 runs' },
  recipe: { lr: 0.1, depths: [1, 2, 3, 1], variant: 's0' },
  origins: { lr: '--lr' },
  environment: { seed: '7' },
  command: 'mobileone train "cats & dogs"',
  notes: ['One image was skipped.'],
};

test('a report loads nothing from anywhere and runs no script', async () => {
  const html = await renderReport(data);
  expect(html).not.toMatch(/https?:|<script|<link|@import|url\((?!#)|src="(?!data:)|href=/);
  expect(html).toContain('<meta name="viewport"');
  expect(html).toContain('prefers-color-scheme:dark');
});

test('it shows every part, and escapes names', async () => {
  const html = await renderReport(data);
  expect(html).toContain('<h1>Cats &amp; &lt;dogs&gt;</h1>');
  expect(html).not.toMatch(/<dogs?>/);
  const titles = [...html.matchAll(/<h2>(.*?)<\/h2>/g)].map((match) => match[1]);
  expect(titles).toEqual([
    'Training',
    'What training sees',
    'Results',
    'Example predictions',
    'Accuracy of each class',
    'Most confused pairs',
    'Can its probabilities be believed?',
    'Proof',
    'Exported files',
    'Latency',
    'Repeat it',
    'Notes',
  ]);
  expect(html.match(/<svg /g)).toHaveLength(5);
  // Shapes that are cut out are named; two figures on a page must not share a name.
  const ids = [...html.matchAll(/ id="(.*?)"/g)].map((match) => match[1]);
  expect(new Set(ids).size).toBe(ids.length);
  expect(html.match(/data:image\/png;base64,iVBORw0KGgo/g)).toHaveLength(4);
  for (const part of [
    '75 %',
    '5.0 %',
    '2.5e-7 (bound 1e-4)',
    '0123abcd',
    '<td>ONNX, fp32</td><td>2.35 MB</td><td>twelve &lt;real&gt; images</td>',
    'not checked: no runtime here',
    'surer than it is right',
    '<td>lr</td><td>0.1</td><td>--lr</td>',
    'seed <b>7</b>',
    'mobileone train &quot;cats &amp; dogs&quot;',
    '[1,2,3,1]',
    'One image was skipped.',
  ]) {
    expect(html).toContain(part);
  }
});

test('sections without data are left out', async () => {
  const html = await renderReport({ title: 'Empty', summary: 'Nothing yet.', epochs: epochs.slice(0, 1) });
  expect(html).not.toMatch(/<h2>|<svg/);
});

test('figures say in their title what there is to see', async () => {
  const text = async (spec: Parameters<typeof drawFigure>[0]): Promise<string> =>
    [...(await drawFigure(spec)).matchAll(/<text[^>]*>(.*?)<\/text>/g)].map((match) => match[1]).join('|');
  const accuracy = await text(accuracyFigure(epochs, data.baseline));
  expect(accuracy).toContain('The first answer is right on 60 % of unseen images,');
  expect(accuracy).toContain('nearest neighbor: 25 %');
  expect(accuracy).toContain('validation accuracy (%)');
  expect(await text(lossFigure(epochs))).toContain('Validation loss went from 4.40 to 2.40 in 3 epochs');
  expect(await text(confusionFigure([{ label: 'a', predicted: 'b', value: 2 }], 'images'))).toContain('a → b');
  const bars = await text(latencyFigure(latency));
  expect(bars).toContain('Fused is 3.0 times as fast as the train form (wasm)');
  expect(bars).toContain('milliseconds a run');
});
