/** Files of PyTorch through the command line: every command takes them, and `import` writes them as safetensors. */
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { call, global, torchZip } from '../torch-writer.ts';
import { built, cli, makeImages, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
const [MMPRETRAIN, CORENET, SMP] = ['mmpretrain-train-legacy.pth', 'corenet-fused-half.pt', 'smp-views-bfloat16.pth'];

describe.skipIf(!built)('weights of other frameworks (built)', () => {
  beforeAll(async () => {
    await makeImages(at('photos'), 6, ['cat', 'dog', 'owl']);
    for (const name of [MMPRETRAIN, CORENET, SMP]) copyFileSync(resolve('test/golden/checkpoints', name), at(name));
  });
  afterAll(remove);

  it('info tells what a file is', async () => {
    const text = await cli(folder, 'info', SMP, '--size', '64');
    expect(text.code).toBe(0);
    expect(text.out).toContain('train form');
    expect(text.out).toContain('no released variant, k 2, SE in 2 blocks');
    expect(text.out).toContain(
      "source: segmentation_models.pytorch (Apple's names, no classifier); PyTorch zip; 168 tensors",
    );
    expect(text.out).toContain('no classifier: a backbone, to train --pretrained');
    expect(text.out).toContain('license: not stated in the file');
    const json = JSON.parse((await cli(folder, 'info', MMPRETRAIN, '--json')).out) as object;
    expect(json).toMatchObject({
      form: 'train',
      variant: null,
      origin: {
        source: 'mmpretrain',
        container: 'PyTorch legacy',
        naming: 'mmpretrain',
        prefix: 'backbone.',
        path: ['state_dict'],
        tensors: 170,
        elements: { F32: 144, I64: 26 },
        counters: 26,
        beside: ['meta'],
        license: null,
      },
      config: { num_conv_branches: 2, se_blocks: [0, 0, 1, 1], num_classes: 3 },
      classes: ['cat', 'dog', 'owl'],
      preprocessing: { size: 224, cropPct: 0.875 },
    });
  });

  it('import writes the names that were asked for, counters included, and says where it is from', async () => {
    const made = await cli(folder, 'import', MMPRETRAIN, '--to', 'apple.safetensors', '--naming', 'apple');
    expect([made.code, made.err]).toEqual([0, '']);
    expect(made.out).toContain('source: MMPretrain; PyTorch legacy, under state_dict');
    const { tensors } = decodeSafetensors(readFileSync(at('apple.safetensors')));
    expect([...tensors.keys()].filter((name) => !/^(stage\d|linear)\./.test(name))).toEqual([]);
    expect(tensors.get('stage0.rbr_conv.0.bn.num_batches_tracked')!.data[0]).toBe(1234);
    const back = await cli(folder, 'import', 'apple.safetensors', '--to', 'timm.safetensors', '--json');
    expect(JSON.parse(back.out)).toMatchObject({ path: 'timm.safetensors', naming: 'timm', classes: 3 });
    const info = await cli(folder, 'info', 'timm.safetensors', '--size', '64');
    expect(info.out).toContain(
      'source: mobileone, imported from MMPretrain; safetensors; 170 tensors (144 F32, 26 I64)',
    );
  });

  it('predict, eval and fuse take them as they are', async () => {
    const image = join('photos', 'cat', '0.png');
    const predicted = await cli(folder, 'predict', CORENET, image, '--json', '--threads', '1');
    expect(predicted.code).toBe(0);
    expect((JSON.parse(predicted.out) as { predictions: object[] }).predictions).toHaveLength(3);
    const scores = await cli(folder, 'eval', MMPRETRAIN, 'photos', '--json', '--threads', '1');
    expect(JSON.parse(scores.out)).toMatchObject({ images: 18, classes: ['cat', 'dog', 'owl'] });
    const fused = await cli(folder, 'fuse', MMPRETRAIN, '--images', 'photos', '--threads', '1');
    expect([fused.code, fused.err]).toEqual([0, '']);
    expect(existsSync(at('mmpretrain-train-legacy-fused.safetensors'))).toBe(true);
  });

  it('a backbone is what training begins with', async () => {
    const refused = await cli(folder, 'predict', SMP, 'photos');
    expect(refused.code).toBe(1);
    expect(refused.err).toContain('is a backbone without a classifier');
    expect(refused.err).toContain(`mobileone train DIR --pretrained ${SMP}`);
    const flags = ['--size', '32', '--batch-size', '6', '--epochs', '1', '--threads', '1', '--workers', '1'];
    const trained = await cli(folder, 'train', 'photos', '--pretrained', SMP, ...flags, '--out', 'run');
    expect(trained.code).toBe(0);
    expect(trained.out + trained.err).toContain('has no classifier; one for 3 classes begins anew');
  });

  it('refuses what is wrong', async () => {
    const naming = await cli(folder, 'import', SMP, '--to', 'x.safetensors', '--naming', 'mmpretrained');
    expect([naming.code, naming.err]).toEqual([2, expect.stringContaining('Did you mean mmpretrain?')]);
    const ending = await cli(folder, 'import', SMP, '--to', 'x.pth');
    expect([ending.code, ending.err]).toEqual([2, expect.stringContaining('FILE.safetensors')]);
    writeFileSync(at('evil.pth'), torchZip(call(global('os', 'system'), 'touch harm'), []));
    const evil = await cli(folder, 'info', 'evil.pth');
    expect([evil.code, evil.err]).toEqual([
      1,
      expect.stringContaining('evil.pth: The file asks Python for "os.system"'),
    ]);
    expect(existsSync(at('harm'))).toBe(false);
    writeFileSync(at('lfs.safetensors'), 'version https://git-lfs.github.com/spec/v1');
    const pointer = await cli(folder, 'info', 'lfs.safetensors');
    expect([pointer.code, pointer.err]).toEqual([1, expect.stringContaining('This file is a Git LFS pointer')]);
  });
});
