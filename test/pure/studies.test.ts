/** Every study on synthetic measurements: what it gives is whole, and fit to be printed and drawn. */
import { describe, expect, it } from 'vitest';
import { nameDevice } from '../../src/bench/device.ts';
import { protocolHash, shortProtocol } from '../../src/bench/protocol.ts';
import { type Row, sessionRows } from '../../src/bench/results/columns.ts';
import { makeSession } from '../../src/bench/results/session.ts';
import { zooNameOf } from '../../src/studies/candidates.ts';
import { groupsOf, protocolFor, runsOf } from '../../src/studies/plan.ts';
import { refusalNotes } from '../../src/studies/refusals.ts';
import { sidesKept } from '../../src/studies/sides.ts';
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
    expect(asked).toEqual(nets);
    expect(breaks(result)).toEqual([]);
    const wrong = study.run(syntheticContext({ nets: [`${nets[0]}x`] }));
    await expect(wrong).rejects.toMatchObject({ hint: expect.stringContaining(`Did you mean ${nets[0]}?`) });
  });
});

it('refuses an unknown study with the nearest', () => {
  expect(() => studyNamed('corelation')).toThrow(/no study "corelation"/);
  expect(studyNamed('Correlation').name).toBe('correlation');
});

describe('results of other devices', () => {
  const phone = nameDevice(
    { cpu: 'Pixel 8 (arm)', cores: 8, memoryGigabytes: 8, system: 'Android 15', host: 'Chrome 150', features: [] },
    'phone',
  );
  const nets = ['mobilenetv1_100', 'mobilenetv2_100', 'mixnet_s', 's0', 'mobileone_s1', 'resnet18'];
  const [long, short] = [shortProtocol(20, 50), shortProtocol(5, 10)];
  /** A row of every network with times that begin at `first`. */
  const rowsOf = (first: number, protocol = long, parts: Row = {}): Row[] =>
    nets.map((model, i) => {
      const [mean, hash] = [first + i, protocolHash(protocol)];
      const timing = {
        mean,
        minimum: mean,
        median: mean,
        interval: [mean, mean] as const,
        runs: 9,
        roundMeans: [mean],
      };
      const times = { load: 0, compile: 0, coldStart: 0, firstRun: mean, protocol: hash, noise: [] };
      const session = makeSession({
        model: { name: model, hash: '0'.repeat(16), size: 224, batch: 1, macs: 1, parameters: 1 },
        ...{ protocol, device: phone },
        measurements: [{ name: 'fused', key: 'wasm', runtime: 'wasm', settings: '', threads: 4, ...timing, ...times }],
      });
      return { ...sessionRows(session).measurements[0]!, ...parts };
    });
  const sides = (kept: readonly Row[]) => sidesKept({ kept, device: syntheticContext().device }, zooNameOf, 5);

  it('are one side for each machine, runtime, threads and protocol, the newest of each network', () => {
    const found = sides([...rowsOf(10), ...rowsOf(20), ...rowsOf(30, short)]);
    expect(found.map(({ rows }) => rows.map(({ mean }) => mean))).toEqual([
      [20, 21, 22, 23, 24, 25],
      [30, 31, 32, 33, 34, 35],
    ]);
    expect(found[0]!.rows.map(({ name }) => name)).toContain('mobileone_s0');
    expect(found[0]!.device).toContain('Pixel 8');
    expect(found[0]!.title).toBe('wasm, 4 threads');
  });

  it('count only fused, single images, of the usual size, and where there are enough', () => {
    const others: readonly Row[] = [
      { form: 'train form, branches' },
      { batch: 8 },
      { size: 128 },
      { model: 'photos.safetensors' },
    ];
    for (const parts of others) expect(sides(rowsOf(10, long, parts))).toEqual([]);
    expect(sides(rowsOf(10).slice(0, 4))).toEqual([]);
    expect(sides(rowsOf(10, long, { machine: syntheticContext().device.machine }))).toEqual([]);
  });

  it('are in the reports beside this machine', async () => {
    for (const study of [studyNamed('correlation'), studyNamed('platforms')]) {
      const result = await study.run(syntheticContext({ quick: true, kept: rowsOf(10) }));
      expect(breaks(result)).toEqual([]);
      expect(JSON.stringify(result.tables)).toContain('Pixel 8 (arm), Chrome 150');
    }
  });
});

it('what is refused is told once for each reason', () => {
  const refused = ['a', 'b'].map((name) => ({ name, runtime: 'litert' as const, threads: 1, reason: 'No such op.' }));
  expect(refusalNotes(refused, 5)).toEqual(['Not measured on litert, 1 thread: a and b (No such op).']);
  expect(refusalNotes(refused, 2)).toEqual(['Not measured on litert, 1 thread: every network (No such op).']);
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
