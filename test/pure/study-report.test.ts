/** Figures of every kind drawn, and the files of a study, from synthetic measurements. */
import { describe, expect, it } from 'vitest';
import { drawFigure } from '../../src/report/draw.ts';
import { figureSpec } from '../../src/report/study/figure.ts';
import { STUDY_FILE, studyFiles, tableCsv } from '../../src/report/study/files-node.ts';
import { proseHtml } from '../../src/report/study/prose.ts';
import type { Figure } from '../../src/studies/figures.ts';
import type { StudyRecord } from '../../src/studies/record.ts';
import { STUDIES } from '../../src/studies/studies.ts';
import { syntheticContext } from '../study-context.ts';

const SAMPLES: readonly Figure[] = [
  {
    kind: 'scatter',
    name: 'points',
    title: 'Two of three points are on the front',
    subtitle: 'Of no machine at all',
    x: { title: 'latency', unit: 'ms', log: true },
    y: { title: 'top-1', unit: '%' },
    frontier: true,
    trend: true,
    points: [
      { label: 'first & best', x: 1, y: 70, xInterval: [0.9, 1.1], family: 'ours', emphasized: true },
      { label: 'second', x: 10, y: 80, yInterval: [78, 82], family: 'theirs' },
      { label: 'third', x: 20, y: 75, family: 'theirs' },
    ],
  },
  {
    kind: 'bars',
    name: 'bars',
    title: 'One bar is below zero',
    axis: { title: 'correlation' },
    referenceName: 'paper, iPhone 12',
    bars: [
      { label: 'up', value: 0.5, interval: [0.2, 0.7], reference: 0.4, emphasized: true },
      { label: 'down', value: -0.25, text: 'minus a quarter' },
    ],
  },
  {
    kind: 'bars',
    name: 'log-bars',
    title: 'A hundred times as long',
    axis: { title: 'time', unit: 'ms', log: true },
    bars: [
      { label: 'short', value: 2 },
      { label: 'long', value: 200 },
    ],
  },
  {
    kind: 'stack',
    name: 'stack',
    title: 'Convolutions take most of the time',
    axis: { title: 'time', unit: 'ms' },
    parts: ['convolutions', 'additions'],
    stacks: [
      { label: 'plain', values: { convolutions: 3 } },
      { label: 'with skips', values: { convolutions: 3, additions: 1 } },
    ],
  },
  {
    kind: 'lines',
    name: 'lines',
    title: 'Time grows with the image',
    x: { title: 'side', unit: 'px' },
    y: { title: 'time', unit: 'ms' },
    lines: ['a line', 'another line'].map((label, i) => ({
      ...{ label, emphasized: i === 0 },
      points: [128, 192, 224].map((x) => ({
        x,
        y: x * (i + 1),
        yInterval: [x, 2.5 * x] as const,
        label: i ? '' : `at ${x}`,
      })),
    })),
  },
];

/** Texts that a figure must show. */
const textsOf = (figure: Figure): string[] => {
  if (figure.kind === 'scatter') return [...figure.points.map(({ label }) => label), figure.x.title, figure.y.title];
  if (figure.kind === 'bars') return [...figure.bars.map(({ label }) => label), figure.axis.title];
  if (figure.kind === 'stack') return [...figure.parts, ...figure.stacks.map(({ label }) => label)];
  return [...figure.lines.map(({ label }) => label), figure.x.title];
};
const plain = (svg: string): string =>
  svg
    .replace(/<[^>]*>/g, ' ')
    .replaceAll('&amp;', '&')
    .replace(/\s+/g, ' ');

describe.each(SAMPLES.map((figure) => [figure.name, figure] as const))('figure %s', (_, figure) => {
  it('is drawn with its title and its labels', async () => {
    const text = plain(await drawFigure(figureSpec(figure)));
    for (const word of figure.title.split(' ')) expect(text).toContain(word);
    for (const label of textsOf(figure)) expect(text).toContain(label);
    expect(text).not.toMatch(/NaN|undefined|Infinity/);
  });
});

it('the legend names the reference, and values below zero have a proper minus', async () => {
  const text = plain(await drawFigure(figureSpec(SAMPLES[1]!)));
  expect(text).toContain('paper, iPhone 12');
  expect(text).toContain('minus a quarter');
});

it('an interval that reaches zero on a logarithmic axis is cut off, and a value of zero is refused', async () => {
  const low = [0, 12] as const;
  const logarithmic = { title: 'time', log: true } as const;
  const figures: readonly Figure[] = [
    {
      ...{ kind: 'scatter', name: 'a', title: 'Cut off', x: logarithmic, y: logarithmic },
      points: [{ label: 'point', x: 10, y: 10, xInterval: low, yInterval: low }],
    },
    {
      kind: 'bars',
      name: 'b',
      title: 'Cut off',
      axis: logarithmic,
      bars: [{ label: 'bar', value: 10, interval: low }],
    },
    {
      ...{ kind: 'lines', name: 'c', title: 'Cut off', x: logarithmic, y: logarithmic },
      lines: [{ label: 'line', points: [1, 10].map((x) => ({ x, y: 10, yInterval: low })) }],
    },
  ];
  for (const figure of figures) expect(await drawFigure(figureSpec(figure))).not.toMatch(/NaN|undefined|Infinity/);
  const [scatter] = figures as [Extract<Figure, { kind: 'scatter' }>];
  expect(() => figureSpec({ ...scatter, points: [{ label: 'none', x: 0, y: 1 }] })).toThrow(/above zero/);
});

it('an empty interval or a single point is drawn too', async () => {
  const [scatter] = SAMPLES as [Extract<Figure, { kind: 'scatter' }>];
  const text = plain(await drawFigure(figureSpec({ ...scatter, points: [{ label: 'alone', x: 5, y: 70 }] })));
  expect(text).toContain('alone');
  expect(text).not.toMatch(/NaN|undefined/);
});

describe('files of a study', () => {
  const record = async (): Promise<StudyRecord> => {
    const [study] = STUDIES as [(typeof STUDIES)[number]];
    const context = syntheticContext({ quick: true });
    const result = await study.run(context);
    return {
      study: { name: study.name, title: study.title, question: study.question },
      ...{ result, time: '2026-01-02T03:04:05.678Z', seconds: 90, quick: true, device: context.device },
      ...{ runtimes: ['wasm@1: wasm 1.0'], commit: 'abc1234' },
      protocol: { warmup: 5, rounds: 3, runsPerRound: 5, trim: 1 },
    };
  };

  it('are whole: a CSV for each table, SVG and PNG for each figure, and reports that show all', async () => {
    const made = await record();
    const { files, notes } = await studyFiles(made, 'mobileone study correlation --quick');
    expect(notes).toEqual([]);
    const { result } = made;
    for (const { name } of result.tables)
      expect(files.get(`${name}.csv`)).toBe(tableCsv(result.tables.find((one) => one.name === name)!));
    for (const { name } of result.figures) {
      expect(files.get(`${name}.svg`)).toContain('<svg');
      expect([...(files.get(`${name}.png`) as Uint8Array).slice(1, 4)]).toEqual([...Buffer.from('PNG')]);
    }
    const markdown = files.get('report.md') as string;
    for (const { name } of result.figures) expect(markdown).toContain(`](${name}.png)`);
    for (const { name } of result.tables) expect(markdown).toContain(`${name}.csv`);
    for (const text of [
      result.finding,
      'Test CPU',
      'wasm@1: wasm 1.0',
      '3 rounds of 5 runs',
      'abc1234',
      'study correlation --quick',
      '2026-01-02 03:04',
    ])
      expect(markdown).toContain(text);
    const page = files.get('report.html') as string;
    expect(page.match(/<figure/g)?.length).toBe(result.figures.length);
    expect(page).not.toMatch(/<script|src="http|href="http|NaN|undefined/);
    const kept = JSON.parse(files.get(STUDY_FILE) as string);
    expect(kept.files).toEqual([...files.keys()].sort());
    expect(kept.result.finding).toBe(result.finding);
  });
});

it('the Markdown of sections becomes HTML, and nothing in it can become a tag', () => {
  expect(proseHtml('A **bold** word and `code`.\n\n- one\n- <b>two</b>')).toBe(
    '<p>A <b>bold</b> word and <code>code</code>.</p>\n<ul><li>one</li><li>&lt;b&gt;two&lt;/b&gt;</li></ul>',
  );
});
