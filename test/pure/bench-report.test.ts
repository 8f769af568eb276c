/** The benchmarks' own arithmetic: medians, the direction of ratios, budgets, and the page made of stored rows. */
import { expect, test } from 'vitest';
import { BUDGETS } from '../../bench/budgets.ts';
import { findings } from '../../bench/growth-figure.ts';
import { budgetTable, newest, performancePage } from '../../bench/report.ts';
import { median, outputDifference, row } from '../../bench/run.ts';
import type { Row, SideResult } from '../../bench/spec.ts';

const common = { machine: 'Test, 2 cores', node: 'v24.0.0', commit: 'abc', date: '2026-01-01' };
const make = (bench: string, subject: string, value: number, peer: string, peerValue: number | null): Row =>
  row({ bench, subject, unit: 'ms', peer, ours: 'ours' }, value, peerValue, {}, common);

test('a ratio above 1 means that we take less', () => {
  expect(make('infer', 's', 2, 'peer 1.0', 5).ratio).toBe(2.5);
  expect(make('infer', 's', 2, '', null).ratio).toBe(null);
});

test('the median is one of the values', () => {
  expect(median([5, 1, 3])).toBe(3);
  expect(median([4, 1, 3, 2])).toBe(3);
});

test('differences of outputs are relative to the largest', () => {
  const side = (outputs: number[]): SideResult => ({
    ms: 1,
    minimum: 1,
    first: 1,
    cold: 1,
    rss: 1,
    runtime: '',
    outputs,
  });
  expect(outputDifference(side([1, -10]), side([1.5, -10]))).toBeCloseTo(0.05);
  expect(outputDifference(side([1]), { ...side([]), outputs: undefined as never })).toBe(undefined);
});

const STEP = '224 px, batch 16, 2 threads';
const rows = [
  make('train', `S0, ${STEP}, 128 bit`, 40, 'PyTorch 2.0', 140),
  make('train', `S0, ${STEP}, 256 bit`, 20, 'PyTorch 2.0', 80),
  make('scale: train', `S0 k=5, ${STEP}, 256 bit`, 21, '', null),
  make('scale: train', `S0 k=2, ${STEP}, 256 bit`, 20, '', null),
  make('start', 'mobileone --help', 170, 'node -e 0', 30),
];

test('budgets are met or missed by the stored rows, each width by its own bound', () => {
  const table = budgetTable(rows);
  const line = (start: string, width: string): string =>
    table.split('\n').find((text) => text.startsWith(`| ${start}`) && text.includes(`| ${width} |`))!;
  expect(line('training step S0', '128 bit')).toMatch(/3\.50× \| met/);
  expect(line('training step S0', '256 bit')).toMatch(/4\.00× \| \*\*missed\*\*/);
  expect(line('S0 training, k = 5', '256 bit')).toMatch(/1\.05× \| met/);
  expect(line('the same, S1', '256 bit')).toMatch(/not measured/);
  expect(table).toMatch(/CLI start.*170 ms \| \*\*missed\*\*/);
  expect(new Set(BUDGETS.map(({ what }) => what)).size).toBe(BUDGETS.length);
});

test('a later row of the same subject and peer takes the place of an earlier one, whatever its version', () => {
  const later = make('train', `S0, ${STEP}, 128 bit`, 30, 'PyTorch 2.1', 150);
  expect(newest([...rows, later]).filter(({ subject }) => subject === later.subject)).toEqual([later]);
});

test('the page names machine, version and commit, and explains how to read it', () => {
  const page = performancePage(rows);
  for (const part of [
    '# Performance',
    'Test, 2 cores',
    '## Node 24.0.0',
    'Commit abc',
    'A ratio above 1 means',
    '### Training step',
  ])
    expect(page).toContain(part);
});

test('the figure of growth says what it shows', () => {
  const at = (k: number, value: number, peerValue: number): Row => ({
    ...make('growth: conv branches k', 's, 256 bit', value, 'PyTorch', peerValue),
    at: k,
  });
  expect(findings([at(1, 10, 20), at(5, 14, 70)])).toBe(
    "Five branches cost us 1.4 times what one costs (PyTorch's 3.5)",
  );
});
