/** What the command line says, and how it exits, when something is wrong. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { built, cli, makeImages, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);

describe.skipIf(!built)('mobileone (built) refuses', () => {
  beforeAll(async () => {
    await makeImages(at('photos'), 10);
    await makeImages(at('two'), 10, ['green', 'red']);
    for (const data of ['photos', 'two'])
      expect((await cli(folder, 'train', data, ...TINY, '--epochs', '1', '--out', `${data}-run`)).code).toBe(0);
  });
  afterAll(remove);

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
    [
      'a close network',
      ['info', 'resnet-18'],
      1,
      /There is no variant or network "resnet-18"\.\n.*Did you mean resnet18\?/,
    ],
    [
      'to train a network of the zoo',
      ['train', 'photos', '--variant', 'resnet18'],
      1,
      /can be measured, but not trained/,
    ],
    ['to plan its training', ['info', 'repvgg_a0', '--plan'], 1, /no plan of its training/],
    ['an unknown preset', ['train', 'photos', '--preset', 'quik'], 2, 'Did you mean quick?'],
    [
      'a value out of range',
      ['train', 'photos', '--epochs', '0'],
      1,
      'epochs must be a whole number of at least 1, got "0" (from --epochs).',
    ],
    [
      'to explain a run that goes on',
      ['train', '--explain', '--resume', 'photos-run'],
      2,
      /--explain tells of a new run/,
    ],
    ['no folder', ['train'], 2, 'There is no folder of images.'],
    ['a missing folder', ['train', 'nowhere'], 1, /nowhere/],
    [
      'a batch larger than the data',
      ['train', 'photos', '--batch-size', '512'],
      1,
      /fewer than one batch of 512\.\n.*--batch-size 8/,
    ],
    [
      'a batch larger than memory',
      ['train', 'photos', '--batch-size', '24', '--size', '1024', '--threads', '2'],
      1,
      /A batch of 24 images of 1024 px is too large\. This program needs 5\.\d GiB, more than the 4 GiB.*\nTrain with --batch-size 1\d, or on images/,
    ],
    ['a used run folder', ['train', 'photos', '--out', 'photos-run'], 1, 'photos-run already exists and holds a run.'],
    ['resuming what is no run', ['train', '--resume', 'photos'], 1, 'photos is not a run.'],
    [
      'other values while resuming',
      ['train', '--resume', 'photos-run', '--lr', '1'],
      2,
      "--lr can't change while a run goes on.",
    ],
    ['a missing recipe', ['train', 'photos', '--recipe', 'no.yaml'], 1, "The recipe no.yaml can't be read"],
    ['a missing model', ['eval', 'nothing.safetensors', 'photos'], 1, 'There is no run or file nothing.safetensors.'],
    [
      'a fused model to fuse',
      ['fuse', 'photos-run/fused.safetensors', '--images', 'photos'],
      1,
      'This model is fused, and the train form is needed to fuse it.',
    ],
    [
      'a fused model alone to prove',
      ['prove', 'photos-run/fused.safetensors'],
      1,
      /fused, and the train form is needed to prove.*\n.*mobileone expand MODEL/,
    ],
    ['a train form to expand', ['expand', 'photos-run'], 1, 'the fused form is needed to bring its branches back'],
    [
      'an exported file before the model',
      ['prove', 'model.onnx', 'photos-run'],
      2,
      /mobileone prove MODEL model\.onnx/,
    ],
    ['a runtime for no file', ['prove', 'photos-run', '--runtime', 'web'], 2, '--runtime is for exported files'],
    ['an unknown engine', ['eval', 'photos-run', '--engine', 'wsam'], 2, 'Did you mean wasm?'],
    ['an unknown split', ['eval', 'photos-run', '--split', 'vall'], 2, 'Did you mean val?'],
    ['an image that is not there', ['predict', 'photos-run', 'no.png'], 1, 'There is no image or folder no.png.'],
  ];
  it.each(refusals)('%s', async (_, args, code, message) => {
    const result = await cli(folder, ...args);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(code);
    expect(result.err).not.toMatch(/\n\s+at /);
  });

  it('a batch larger than memory before an image is decoded', async () => {
    await makeImages(at('large'), 10);
    writeFileSync(at('large', 'red', 'broken.png'), 'not an image');
    const { out, err } = await cli(folder, 'train', 'large', '--batch-size', '24', '--size', '1024', '--out', 'much');
    expect(err).toContain('is too large');
    expect(out + err).not.toContain('skipped');
    expect(existsSync(at('much'))).toBe(false);
  });

  it('a checkpoint that is damaged, or of another shape', async () => {
    writeFileSync(at('damaged.safetensors'), readFileSync(at('photos-run', 'model.safetensors')).subarray(0, 500));
    const damaged = await cli(folder, 'eval', 'damaged.safetensors', 'photos');
    expect(damaged.code).toBe(1);
    expect(damaged.err).toContain('damaged.safetensors');
    const other = await cli(folder, 'train', 'two', '--resume', 'photos-run');
    expect(other.code).toBe(1);
    expect(other.err).toContain('two has other classes than the run began with: without blue.');
    const evaluated = await cli(folder, 'eval', 'two-run', 'photos');
    expect(evaluated.code).toBe(1);
    expect(evaluated.err).toContain('photos has other classes than the model: with blue.');
  });

  it('folders that are no classification data', async () => {
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

  it('to go on when the loss is no number; says what to try, and keeps the last good checkpoint', async () => {
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
  });
});
