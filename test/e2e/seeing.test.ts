/** Seeing what a run did, with the command line as a process: evaluation, diagnosis, the report, lists of runs. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { built, cli, makeImages, start, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();

describe.skipIf(!built)('a finished run (built)', () => {
  beforeAll(async () => {
    await makeImages(`${folder}/photos`, 10);
    const { code } = await cli(folder, 'train', 'photos', ...TINY, '--epochs', '3', '--out', 'run');
    expect(code).toBe(0);
  });
  afterAll(remove);

  it('evaluates corrupted images, and exported files as the model they are from', async () => {
    expect((await cli(folder, 'export', 'run', '--out', 'onnx')).code).toBe(0);
    type Report = { top1: number; ece: number; robustness: { drop: number; corruptions: { corruption: string }[] } };
    const [run, file] = await Promise.all(
      ['run', 'onnx/model.onnx'].map(async (model) => {
        const { code, out } = await cli(folder, 'eval', model, 'photos', '--split', 'all', '--corruptions', '--json');
        expect(code).toBe(0);
        return JSON.parse(out) as Report;
      }),
    );
    expect(file!.top1).toBeCloseTo(run!.top1, 6);
    expect(file!.ece).toBeCloseTo(run!.ece, 2);
    expect(run!.robustness.corruptions).toHaveLength(8);
    expect(file!.robustness.drop).toBeCloseTo(run!.robustness.drop, 6);
    const text = await cli(folder, 'eval', 'onnx/model.onnx', 'photos', '--corruptions');
    expect(text.out).toMatch(/^ +jpeg_compression( +\d+\.\d){4}$/m);
    const refused = await cli(folder, 'eval', 'onnx/model.onnx', 'photos', '--engine', 'wasm');
    expect(refused.err).toContain('--engine has no effect on an ONNX file');
  });

  it('diagnoses the statistics of a run, and only of a train form', async () => {
    const { code, out } = await cli(folder, 'eval', 'run', 'photos', '--split', 'all', '--diagnose', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      modes: { train: {}, eval: {}, recalibrated: {} },
      finding: { text: expect.any(String) },
    });
    const fused = await cli(folder, 'eval', 'run/fused.safetensors', 'photos', '--diagnose');
    expect(fused.err).toContain('the train form is needed to look at its statistics');
  });

  it('has a report with what it was fed, its classes, calibration, and the way to repeat it', () => {
    const html = readFileSync(`${folder}/run/report.html`, 'utf8');
    for (const title of [
      'What training sees',
      'Accuracy of each class',
      'Can its probabilities be believed?',
      'Repeat it',
    ])
      expect(html).toContain(`<h2>${title}</h2>`);
    // A batch of eight, the three validation images, and nothing from elsewhere.
    expect(html.match(/<img /g)!.length).toBeGreaterThanOrEqual(8 + 3);
    expect(html).toContain('<td>epochs</td><td>3</td><td>--epochs</td>');
    expect(html).toMatch(/mobileone <b>\d/);
  });

  it('is listed among others with how they stand, and compared with them', async () => {
    const args = ['train', 'photos', ...TINY, '--epochs', '2'];
    expect((await cli(folder, ...args, '--hflip', '0', '--out', 'runs/other')).code).toBe(0);
    expect((await cli(folder, ...args, '--lr', '1e9', '--out', 'runs/wild')).code).toBe(1);
    const stopped = start(folder, ['train', 'photos', ...TINY, '--epochs', '400', '--out', 'runs/long']);
    await stopped.until(/epoch 2\/400/);
    const running = await cli(folder, 'runs', '--json');
    stopped.child.kill('SIGKILL');
    await stopped.done;
    const states = async (out: string): Promise<Record<string, string>> =>
      Object.fromEntries(
        (JSON.parse(out) as { name: string; state: string }[]).map(({ name, state }) => [name, state]),
      );
    expect(await states(running.out)).toEqual({ long: 'running', wild: 'diverged', other: 'finished' });
    expect(await states((await cli(folder, 'runs', '--json')).out)).toMatchObject({ long: 'stopped' });
    const list = await cli(folder, 'runs', 'runs');
    expect(list.out).toMatch(/^other +\d{4}-\d\d-\d\d \d\d:\d\d +own +photos +finished +2\/2 +\d+\.\d\d % +\d+ s$/m);

    const compared = await cli(folder, 'runs', 'compare', 'run', 'other', '--html', 'compared.html', '--json');
    const { runs, differences } = JSON.parse(compared.out) as { runs: { metrics: object[] }[]; differences: object };
    expect(runs.map(({ metrics }) => metrics.length)).toEqual([3, 2]);
    expect(differences).toEqual({ epochs: [3, 2], hflip: [0.5, 0] });
    const html = readFileSync(`${folder}/compared.html`, 'utf8');
    expect(html.match(/<svg /g)).toHaveLength(3);
    expect(html).not.toMatch(/https?:|<script/);
    const text = await cli(folder, 'runs', 'compare', 'run', 'other');
    expect(text.out).toMatch(/^hflip +0\.5 +0$/m);
    expect((await cli(folder, 'runs', 'compare', 'run', 'none')).err).toContain('none is not a run');
  });
});
