/** The table of formats: measured on a small golden net, its bars, and its place in the page. */
import { expect, test } from 'vitest';
import { openImages } from '../../bench/formats/images.ts';
import { livelyModel } from '../../bench/formats/lively.ts';
import { answersOf, type FormatRow, formatRows } from '../../bench/formats/measure.ts';
import { allMet, formatCells, withTable } from '../../bench/formats/page.ts';
import { type FormatSubject, goldenSubjects } from '../../bench/formats/subjects.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import type { Format } from '../../src/export/format.ts';
import { FORMATS } from '../../src/export/formats-node.ts';
import { ONNX } from '../../src/export/onnx/format-node.ts';
import { VARIANTS } from '../../src/models/mobileone.ts';

const { images, description } = await openImages(undefined, 20);

async function firstSubject(): Promise<FormatSubject> {
  for await (const subject of goldenSubjects('test/golden/cases', images)) return subject;
  throw new Error('there are no golden cases');
}

async function rowsOf(format: Format): Promise<FormatRow[]> {
  const subject = await firstSubject();
  const rows: FormatRow[] = [];
  for await (const row of formatRows(format, subject, await answersOf(subject), 1)) rows.push(row);
  return rows;
}

test('every format meets its bars on a golden net, in every precision', async () => {
  expect(description).toBe('24 generated images with the statistics of photographs');
  for (const format of FORMATS) {
    const rows = await rowsOf(format);
    expect([...new Set(rows.map(({ precision }) => precision))]).toEqual([...format.precisions]);
    expect(allMet({ rows, apple: [] })).toBe(true);
    for (const row of rows) expect(row).toMatchObject({ reference: 'float64 reference', images: format.open ? 24 : 0 });
  }
});

test('a format that computes something else misses, one without a runtime says so', async () => {
  const wrong: Format = {
    ...ONNX,
    name: 'wrong',
    precisions: ['fp32'],
    async open(files, main, options) {
      const runner = await ONNX.open!(files, main, options);
      const off = async (batch: Parameters<typeof runner.logits>[0]) => {
        const { shape, data } = await runner.logits(batch);
        return { shape, data: Float32Array.from(data, (value, i) => value + (i % 3)) };
      };
      return { ...runner, logits: off };
    },
  };
  const [row] = await rowsOf(wrong);
  expect(row).toMatchObject({ passed: false });
  expect(formatCells([row!])[1]!.at(-1)).toBe('**missed**');
  expect(allMet({ rows: [row!], apple: [] })).toBe(false);
  const { open: _, ...closed } = ONNX;
  const [unrun] = await rowsOf({ ...closed, name: 'closed' });
  expect(formatCells([unrun!])[1]).toContain('no runtime here; its tests read the files back');
});

test('the page keeps what stands around the table', async () => {
  const found = { rows: [], apple: [], images: 'some', machine: 'm', node: 'v1', commit: 'c', date: 'd' };
  const page = 'before\n<!-- written by npm run formats -->\nold\n<!-- to here -->\nafter\n';
  const next = withTable(page, found);
  expect(next).toMatch(/^before\n/);
  expect(next).toMatch(/\nafter\n$/);
  expect(next).not.toContain('old');
  expect(withTable(next, found)).toBe(next);
  expect(() => withTable('none', found)).toThrow(/has no lines/);
});

test('random networks are lively: logits spread, and the first class depends on the image', async () => {
  const engine = await nodeWasmEngine({ threads: 1 });
  const batches = await images(32);
  const config = { ...VARIANTS.s4, depths: [1, 2, 2, 1], widths: [0.5, 0.25, 0.25, 0.25], num_classes: 40 } as const;
  const model = await livelyModel({ ...config, se_blocks: [0, 0, 1, 1] }, engine, batches, 32);
  const { logits, classesSeen } = await answersOf({ name: 'small', model, batches, engine });
  expect(classesSeen).toBeGreaterThan(12);
  const values = logits.flatMap(({ data }) => [...data]);
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length);
  expect(deviation).toBeCloseTo(2, 0);
});
