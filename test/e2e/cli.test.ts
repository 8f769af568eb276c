/** The command line as a process: what it makes, and what it says when something is wrong. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { built, cli, makeImages, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);

describe.skipIf(!built)('mobileone (built)', () => {
  beforeAll(async () => {
    await makeImages(at('photos'), 10);
    const { code, err } = await cli(folder, 'train', 'photos', ...TINY, '--epochs', '3', '--out', 'run');
    expect(err).toBe('');
    expect(code).toBe(0);
  });
  afterAll(remove);

  it('prints help and version', async () => {
    const help = await cli(folder, '--help');
    expect(help.code).toBe(0);
    for (const verb of ['train', 'eval', 'predict', 'fuse', 'export', 'info', 'bench'])
      expect(help.out).toContain(verb);
    expect((await cli(folder)).out).toBe(help.out);
    const train = await cli(folder, 'train', '--help');
    expect(train.out).toContain('--label-smoothing');
    expect((await cli(folder, '--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  it('trains into a run folder', () => {
    for (const name of [
      'recipe.yaml',
      'events.jsonl',
      'metrics.csv',
      'model.safetensors',
      'fused.safetensors',
      'proof.json',
    ])
      expect(existsSync(at('run', name)), name).toBe(true);
    for (const name of ['last', 'best']) expect(existsSync(at('run', 'checkpoints', `${name}.safetensors`))).toBe(true);
    const recipe = readFileSync(at('run', 'recipe.yaml'), 'utf8');
    expect(recipe).toMatch(/^# mobileone train photos --depths 1,1,1,1 .* --out run\n/);
    expect(recipe).toContain('epochs: 3  # --epochs\n');
    expect(recipe).toContain('momentum: 0.9\n');
    const events = readFileSync(at('run', 'events.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { type: string });
    expect(events[0]).toMatchObject({ type: 'start', epochs: 3, classes: ['blue', 'green', 'red'] });
    expect(events.filter(({ type }) => type === 'epoch')).toHaveLength(3);
    expect(events.at(-1)).toMatchObject({ type: 'end', checkpoint: join('run', 'model.safetensors') });
    expect(readFileSync(at('run', 'metrics.csv'), 'utf8').trim().split('\n')).toHaveLength(4);
    expect(JSON.parse(readFileSync(at('run', 'proof.json'), 'utf8'))).toMatchObject({ passed: true, bound: 1e-4 });
  });

  it('evaluates, on the held-out images and on a folder', async () => {
    const own = await cli(folder, 'eval', 'run', '--json');
    expect(own.code).toBe(0);
    const end = JSON.parse(readFileSync(at('run', 'events.jsonl'), 'utf8').trim().split('\n').at(-1)!) as {
      metrics: { valTop1: number };
    };
    const result = JSON.parse(own.out) as { images: number; top1: number; data: string };
    expect(result.top1).toBeCloseTo(end.metrics.valTop1, 6);
    expect(result.data).toBe(`val images of ${at('photos')}`);
    const file = await cli(folder, 'eval', 'run/fused.safetensors', 'photos');
    expect(file.out).toContain('all images of photos: 30');
    expect(file.out).toMatch(/top-1 \d+\.\d\d %/);
  });

  it('predicts, and tells of what is no image', async () => {
    writeFileSync(at('broken.jpg'), 'not an image');
    const result = await cli(folder, 'predict', 'run', 'photos/red/0.png', 'broken.jpg', '--json', '--top', '2');
    expect(result.code).toBe(1);
    const [good, bad] = result.out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(good).toMatchObject({ path: 'photos/red/0.png', predictions: [{}, {}] });
    expect(bad).toMatchObject({ path: 'broken.jpg', error: expect.any(String) });
    const plain = await cli(folder, 'predict', 'run', 'photos/red/0.png');
    expect(plain.code).toBe(0);
    expect(plain.out).toMatch(/^photos\/red\/0\.png: \w+ \d+\.\d %, /);
  });

  it('fuses with a proof, and writes nothing above the bound', async () => {
    const fused = await cli(folder, 'fuse', 'run/model.safetensors', '--images', 'photos', '--out', 'f.safetensors');
    expect(fused.out).toContain('proved on 30 images');
    expect(existsSync(at('f.safetensors'))).toBe(true);
    const strict = await cli(folder, 'fuse', 'run', '--out', 'g.safetensors', '--bound', '1e-12');
    expect(strict.code).toBe(1);
    expect(strict.err).toContain('The fused model is not the trained one');
    expect(existsSync(at('g.safetensors'))).toBe(false);
  });

  it('exports a bundle that ONNX Runtime has checked', async () => {
    const { code, out } = await cli(folder, 'export', 'run');
    expect(code).toBe(0);
    expect(out).toMatch(/^fused +proved on \d images/);
    expect(out).toMatch(/onnx runtime +proved on \d images/);
    expect(out).toContain('uint8 RGB [N, 32, 32, 3]');
    for (const name of ['model.onnx', 'labels.txt', 'golden.json', 'card.json', 'README.md'])
      expect(existsSync(at('run', 'export-onnx', name)), name).toBe(true);
    const card = JSON.parse(readFileSync(at('run', 'export-onnx', 'card.json'), 'utf8')) as { command: string };
    expect(card.command).toMatch(/^mobileone train photos/);
    const planes = await cli(
      ...[
        folder,
        'export',
        'run/model.safetensors',
        '--images',
        'photos',
        '--layout',
        'nchw',
        '--fixed-batch',
        '--json',
      ],
    );
    expect(JSON.parse(planes.out)).toMatchObject({
      path: 'run/model-onnx/model.onnx',
      proof: { images: 30, passed: true },
    });
  });

  it('measures both forms on every runtime there is', async () => {
    const { code, out } = await cli(folder, 'bench', 'run', '--rounds', '2', '--runs', '5', '--json');
    expect(code).toBe(0);
    const { results, protocol } = JSON.parse(out) as {
      results: { name: string; minimum: number; mean: number }[];
      protocol: object;
    };
    expect(protocol).toEqual({ warmup: 5, rounds: 2, runsPerRound: 5, trim: 1 });
    expect(results.slice(0, 2).map(({ name }) => name)).toEqual(['train form, branches', 'fused']);
    for (const { minimum, mean } of results) expect(minimum).toBeLessThanOrEqual(mean);
    const variant = await cli(folder, 'bench', 's1', '--size', '32', '--rounds', '1', '--runs', '1');
    expect(variant.out).toContain('s1, 1 image of 32 px, 1 thread');
  }, 180_000);

  it('skips broken images and lists them, or stops at them if strict', async () => {
    await makeImages(at('some-broken'), 10);
    writeFileSync(at('some-broken', 'red', 'notes.txt'), 'not an image');
    const args = ['train', 'some-broken', ...TINY, '--epochs', '1'];
    const { code, out } = await cli(folder, ...args, '--out', 'broken-run');
    expect(code).toBe(0);
    expect(out).toContain('skipped: "some-broken/red/notes.txt" is not an image: it is');
    expect(out.match(/skipped:/g)).toHaveLength(1);
    expect(readFileSync(at('broken-run', 'events.jsonl'), 'utf8')).toContain('"type":"skipped"');
    const strict = await cli(folder, ...args, '--out', 'strict-run', '--strict');
    expect(strict.code).toBe(1);
    expect(strict.err).toContain('"some-broken/red/notes.txt" is not an image');
    expect(existsSync(at('strict-run'))).toBe(false);
  });

  it('describes variants, files and the machine', async () => {
    const s0 = await cli(folder, 'info', 's0');
    expect(s0.out).toContain('5,293,272 parameters');
    expect(s0.out).toContain('fused: 2,078,504 parameters');
    const file = await cli(folder, 'info', 'run/fused.safetensors', '--json');
    expect(JSON.parse(file.out)).toMatchObject({
      form: 'fused',
      classes: ['blue', 'green', 'red'],
      proof: { passed: true },
    });
    const machine = JSON.parse((await cli(folder, 'info', '--json')).out) as { engines: object };
    expect(machine.engines).toHaveProperty('wasm');
  });

  it('begins with the weights of a model, whatever its classes', async () => {
    await makeImages(at('two'), 10, ['green', 'red']);
    const { code, out } = await cli(
      folder,
      'train',
      'two',
      '--init',
      'run',
      '--size',
      '32',
      '--batch-size',
      '8',
      '--epochs',
      '1',
      '--out',
      'tuned',
    );
    expect(out).toContain('The classifier of run is for 3 classes; it begins anew for 2.');
    expect(code).toBe(0);
    const other = await cli(
      folder,
      'train',
      'two',
      '--init',
      'run',
      '--variant',
      's1',
      '--depths',
      '2,8,10,1',
      '--out',
      'other',
    );
    expect(other.code).toBe(1);
    expect(other.err).toContain('is another network than the recipe');
  });

  it('prints events as JSON lines', async () => {
    const { out } = await cli(folder, 'train', 'photos', ...TINY, '--epochs', '1', '--out', 'json', '--json');
    const types = out
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types[0]).toBe('start');
    expect(types.slice(-2)).toEqual(['fused', 'end']);
  });

  it("reads recipe files, and takes a run's own recipe", async () => {
    writeFileSync(at('recipe.yaml'), 'preset: quick\nepochs: 1\nwarmup_epochs: 0\n');
    const { code } = await cli(folder, 'train', 'photos', '--recipe', 'recipe.yaml', ...TINY, '--out', 'from-file');
    expect(code).toBe(0);
    expect(readFileSync(at('from-file', 'recipe.yaml'), 'utf8')).toContain('epochs: 1  # recipe.yaml');
    const again = await cli(folder, 'train', 'photos', '--recipe', 'from-file/recipe.yaml', '--out', 'again');
    expect(again.code).toBe(0);
    expect(readFileSync(at('again', 'model.safetensors'))).toEqual(readFileSync(at('from-file', 'model.safetensors')));
  });

  const refusals: [name: string, args: string[], code: number, message: string | RegExp][] = [
    ['an unknown flag', ['train', 'photos', '--epoch', '3'], 2, /unknown option '--epoch'[\s\S]*--epochs/],
    ['an unknown verb', ['trian', 'photos'], 2, /unknown command 'trian'[\s\S]*train/],
    [
      'an unknown variant',
      ['train', 'photos', '--variant', 's9'],
      1,
      /There is no variant "s9"\.\n.*s0, s1, s2, s3, s4/,
    ],
    ['a close variant', ['info', 'mobileone_s7'], 1, /There is no variant/],
    ['an unknown preset', ['train', 'photos', '--preset', 'quik'], 2, 'Did you mean quick?'],
    [
      'a value out of range',
      ['train', 'photos', '--epochs', '0'],
      1,
      'epochs must be a whole number of at least 1, got "0" (from --epochs).',
    ],
    ['no folder', ['train'], 2, 'There is no folder of images.'],
    ['a missing folder', ['train', 'nowhere'], 1, /nowhere/],
    [
      'a batch larger than the data',
      ['train', 'photos', '--batch-size', '512'],
      1,
      /fewer than one batch of 512\.\n.*--batch-size 8/,
    ],
    ['a used run folder', ['train', 'photos', '--out', 'run'], 1, 'run already exists and holds a run.'],
    ['resuming what is no run', ['train', '--resume', 'photos'], 1, 'photos is not a run.'],
    [
      'other values while resuming',
      ['train', '--resume', 'run', '--lr', '1'],
      2,
      "--lr can't change while a run goes on.",
    ],
    ['a missing recipe', ['train', 'photos', '--recipe', 'no.yaml'], 1, "The recipe no.yaml can't be read"],
    ['a missing model', ['eval', 'nothing.safetensors', 'photos'], 1, 'There is no run or file nothing.safetensors.'],
    [
      'a fused model to fuse',
      ['fuse', 'run/fused.safetensors', '--images', 'photos'],
      1,
      'This model is fused, and the train form is needed to fuse it.',
    ],
    ['a file without images', ['fuse', 'run/model.safetensors'], 2, 'The check needs real images'],
    ['an unknown engine', ['eval', 'run', '--engine', 'wsam'], 2, 'Did you mean wasm?'],
    ['an unknown split', ['eval', 'run', '--split', 'vall'], 2, 'Did you mean val?'],
    ['an image that is not there', ['predict', 'run', 'no.png'], 1, 'There is no image or folder no.png.'],
  ];
  it.each(refusals)('refuses %s', async (_, args, code, message) => {
    const result = await cli(folder, ...args);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
    expect(result.err).not.toMatch(/\n\s+at /);
  });

  it('refuses a checkpoint that is damaged, or of another shape', async () => {
    writeFileSync(at('damaged.safetensors'), readFileSync(at('run', 'model.safetensors')).subarray(0, 500));
    const damaged = await cli(folder, 'eval', 'damaged.safetensors', 'photos');
    expect(damaged.code).toBe(1);
    expect(damaged.err).toContain('damaged.safetensors');
    const other = await cli(folder, 'train', 'two', '--resume', 'run');
    expect(other.code).toBe(1);
    expect(other.err).toContain('two has other classes than the run began with: without blue.');
    const evaluated = await cli(folder, 'eval', 'tuned', 'photos');
    expect(evaluated.code).toBe(1);
    expect(evaluated.err).toContain('photos has other classes than the model: with blue.');
  });

  it('refuses folders that are no classification data', async () => {
    await makeImages(at('one'), 4, ['red']);
    const one = await cli(folder, 'train', 'one');
    expect(one.code).toBe(1);
    expect(one.err).toMatch(/one class/i);
    await makeImages(at('with-empty'), 8);
    mkdirSync(at('with-empty', 'yellow'));
    const empty = await cli(folder, 'train', 'with-empty', ...TINY, '--epochs', '1', '--out', 'empty');
    expect(empty.out + empty.err).toContain('yellow');
    await makeImages(at('split', 'train'), 8, ['red', 'green']);
    await makeImages(at('split', 'val'), 2, ['red', 'blue']);
    const split = await cli(folder, 'train', 'split');
    expect(split.code).toBe(1);
    expect(split.err).toContain('blue');
  });

  it('stops when the loss is no number, says what to try, and keeps the last good checkpoint', async () => {
    const { code, err } = await cli(
      folder,
      'train',
      'photos',
      ...TINY,
      '--lr',
      '1e30',
      '--epochs',
      '5',
      '--out',
      'nan',
    );
    expect(code).toBe(1);
    expect(err).toMatch(
      /error: The (loss became|weights are).*training has diverged\.\nTrain again with a lower rate \(--lr 1e\+29\)/,
    );
    expect((await cli(folder, 'info', 'nan')).code).toBe(0);
    rmSync(at('nan'), { recursive: true });
  });
});
