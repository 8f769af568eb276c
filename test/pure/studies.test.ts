/** Every study on synthetic measurements: what it gives is whole, and fit to be printed and drawn. */
import { describe, expect, it } from 'vitest';
import { groupsOf, protocolFor, runsOf } from '../../src/studies/plan.ts';
import { STUDIES, studyNamed } from '../../src/studies/studies.ts';
import type { StudyResult } from '../../src/studies/study.ts';
import { syntheticContext } from '../study-context.ts';

/** Breaks of the contract, in words. */
function breaks({ finding, tables, figures, sections }: StudyResult): string[] {
  const names = [...tables, ...figures].map(({ name }) => name);
  const shown = sections.flatMap(({ shows = [] }) => shows);
  return [
    ...(finding.length > 20 && !/NaN|undefined|Infinity/.test(finding) ? [] : [`finding: ${finding}`]),
    ...names.filter((name, i) => names.indexOf(name) !== i).map((name) => `${name} is there twice`),
    ...names.filter((name) => !/^[a-z0-9-]+$/.test(name)).map((name) => `${name} is no file name`),
    ...sections.filter(({ text }) => /NaN|undefined|Infinity/.test(text)).map(({ title }) => `section ${title}`),
    ...shown.filter((name, i) => shown.indexOf(name) !== i).map((name) => `${name} is shown twice`),
    ...tables.flatMap(({ name, columns, rows }) =>
      rows.flatMap((row, i) => {
        const keys = Object.keys(row);
        const right = keys.length === columns.length && columns.every((column) => column.name in row);
        const finite = Object.values(row).every((value) => typeof value !== 'number' || Number.isFinite(value));
        return right && finite ? [] : [`row ${i} of ${name}: ${JSON.stringify(row)}`];
      }),
    ),
    ...figures.flatMap((figure) => (/NaN|undefined|Infinity/.test(JSON.stringify(figure)) ? [figure.name] : [])),
    ...figures.flatMap(({ name, title }) =>
      title.length < 15 || title.length > 170 ? [`title of ${name}: ${title}`] : [],
    ),
  ];
}

describe.each(STUDIES.map((study) => [study.name, study] as const))('%s', (_, study) => {
  it('keeps the contract, quick and whole, on one side and on several', async () => {
    const quick = await study.run(syntheticContext({ quick: true, runtimes: ['wasm'] }));
    expect(breaks(quick)).toEqual([]);
    const whole = await study.run(syntheticContext({ threads: [1, 2], runtimes: ['wasm', 'ort-node', 'litert'] }));
    expect(breaks(whole)).toEqual([]);
    expect(whole.tables.length).toBeGreaterThan(0);
    expect(whole.figures.length).toBeGreaterThan(0);
  });

  it('heeds --nets, and refuses an unknown one with the nearest', async () => {
    if (!study.nets) return;
    const nets = study.nets().slice(0, 2);
    let asked: string[] = [];
    const context = syntheticContext({ nets });
    const result = await study.run({
      ...context,
      measure: (candidates, wish) => {
        asked = candidates.map(({ name }) => name);
        return context.measure(candidates, wish);
      },
    });
    // A study may measure more than networks that can be chosen, e.g. parts of them.
    const choice = study.nets();
    expect(asked.filter((name) => choice.includes(name))).toEqual(nets);
    expect(breaks(result)).toEqual([]);
    const wrong = study.run(syntheticContext({ nets: [`${nets[0]}x`] }));
    await expect(wrong).rejects.toMatchObject({ hint: expect.stringContaining(`Did you mean ${nets[0]}?`) });
  });
});

it('refuses an unknown study with the nearest', () => {
  expect(() => studyNamed('corelation')).toThrow(/no study "corelation"/);
  expect(studyNamed('Correlation').name).toBe('correlation');
});

describe('how a study spends its time', () => {
  it('takes the longest protocol that there is time for, warm-up included', () => {
    for (const seconds of [30, 100, 400, 900]) {
      const { protocol, over } = protocolFor(seconds, 1);
      expect(over).toBeUndefined();
      expect(runsOf(protocol) - 1).toBeLessThanOrEqual(seconds);
      expect(runsOf(protocol)).toBeGreaterThan(0.75 * seconds);
    }
    expect(protocolFor(2000, 1).protocol).toEqual({ warmup: 50, rounds: 20, runsPerRound: 50, trim: 10 });
    expect(protocolFor(400, 1).protocol).toMatchObject({ rounds: 10, runsPerRound: 36, trim: 7 });
    expect(protocolFor(60, 1).protocol).toMatchObject({ rounds: 5, runsPerRound: 10, trim: 2 });
    expect(protocolFor(-5, 1)).toEqual(protocolFor(5, 1));
    expect(protocolFor(5, 1)).toEqual({ protocol: { warmup: 5, rounds: 3, runsPerRound: 5, trim: 1 }, over: 21 });
  });

  it('makes groups that fit into memory, in order', () => {
    const sizes = [10, 10, 50, 10, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1].map((millions) => ({ params: millions * 1e6 }));
    const groups = groupsOf(sizes);
    expect(groups.flat()).toEqual(sizes);
    for (const group of groups) {
      expect(group.length).toBeLessThanOrEqual(7);
      expect(group.length === 1 || 4 * group.reduce((sum, { params }) => sum + params, 0) <= 160e6).toBe(true);
    }
  });
});
