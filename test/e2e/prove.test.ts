/** The forms of a model from the command line: proved, brought back, and what happens where there are no images. */
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadModel, saveModel } from '../../src/checkpoint/store-node.ts';
import { built, cli, makeImages, TINY, temporaryFolder } from './cli-process.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);

interface Proof {
  readonly images: number;
  readonly generated?: true;
  readonly passed: boolean;
  readonly bound: number;
  readonly relativeDifference: number;
  readonly engine: string;
}

/** The JSON that a command prints. */
async function proofOf(...args: string[]): Promise<Proof & { code: number | null; err: string }> {
  const { code, out, err } = await cli(folder, ...args, '--json');
  return { ...(JSON.parse(out) as Proof), code, err };
}

describe.skipIf(!built)('mobileone (built)', () => {
  beforeAll(async () => {
    await makeImages(at('photos'), 10);
    expect((await cli(folder, 'train', 'photos', ...TINY, '--epochs', '1', '--out', 'run')).code).toBe(0);
    expect((await cli(folder, 'export', 'run', '--out', 'onnx')).code).toBe(0);
  });
  afterAll(remove);

  it('proves a run, two files, and an exported file in either runtime', async () => {
    const own = await cli(folder, 'prove', 'run');
    expect(own.out).toMatch(/^run\/model\.safetensors against .*run\/fused\.safetensors: proved on \d images/);
    const files = await proofOf('prove', 'run/fused.safetensors', 'run/model.safetensors', '--images', 'photos');
    expect(files).toMatchObject({ code: 0, images: 30, passed: true, bound: 1e-4 });
    expect(files.relativeDifference).toBeGreaterThan(0);
    for (const runtime of ['node', 'web']) {
      const exported = await proofOf('prove', 'run', 'onnx', '--images', 'photos', '--runtime', runtime);
      expect(exported).toMatchObject({ code: 0, images: 30, passed: true });
      expect(exported.engine).toMatch(new RegExp(`^onnxruntime-${runtime} .* against wasm`));
    }
  });

  it('exits with 1 where the two are not the same, and says by how much', async () => {
    const model = await loadModel(at('run', 'fused.safetensors'));
    const bias = model.state.get('head.fc.bias')!;
    const state = new Map(model.state).set('head.fc.bias', {
      ...bias,
      data: Float32Array.from(bias.data, (v) => v + 1),
    });
    await saveModel(at('other.safetensors'), { ...model, state, classes: ['b', 'g', 'r'] });
    const { code, out, err } = await cli(folder, 'prove', 'run', 'other.safetensors');
    expect(code).toBe(1);
    expect(out).toContain('not proved on');
    expect(err).toMatch(/warning: other\.safetensors names its classes differently/);
    expect(err).toMatch(/error: other\.safetensors does not compute what .* computes: the logits differ by up to 1\.0/);
  });

  it('brings branches back from a fused file, as many as asked for, and trains on them', async () => {
    const args = ['expand', 'run/fused.safetensors', '--num-conv-branches', '3', '--images', 'photos'];
    const { code, out } = await cli(folder, ...args, '--out', 'k3.safetensors');
    expect(code).toBe(0);
    expect(out).toMatch(/^k3\.safetensors {2}proved on 30 images/);
    const grown = await loadModel(at('k3.safetensors'));
    expect(grown).toMatchObject({ form: 'train', config: { num_conv_branches: 3 }, classes: ['blue', 'green', 'red'] });
    const both = await proofOf('prove', 'k3.safetensors', 'run/fused.safetensors', '--images', 'photos');
    expect(both).toMatchObject({ code: 0, passed: true });
    const tuned = ['train', 'photos', '--pretrained', 'k3.safetensors', '--epochs', '1', '--out', 'tuned'];
    expect((await cli(folder, ...tuned, '--size', '32', '--batch-size', '8', '--threads', '1')).code).toBe(0);
    const strict = await cli(folder, ...args, '--out', 'no.safetensors', '--bound', '1e-12');
    expect(strict.code).toBe(1);
    expect(existsSync(at('no.safetensors'))).toBe(false);
  });

  it('takes generated images where there are none, and says so everywhere', async () => {
    const warning = /warning: No images were named, and a file does not know any\. The check runs on 64 generated/;
    const fused = await cli(folder, 'fuse', 'run/model.safetensors', '--out', 'f.safetensors');
    expect(fused.code).toBe(0);
    expect(fused.err).toMatch(warning);
    expect(fused.out).toContain('proved on 64 generated images');
    expect((await loadModel(at('f.safetensors'))).proof).toMatchObject({ images: 64, generated: true });
    const exported = await cli(folder, 'export', 'run/model.safetensors', '--out', 'plain');
    expect(exported.code).toBe(0);
    expect(exported.err).toMatch(warning);
    expect(readFileSync(at('plain', 'README.md'), 'utf8')).toContain('64 generated images');
    const proved = await proofOf('prove', 'run/model.safetensors', 'plain/model.onnx');
    expect(proved).toMatchObject({ code: 0, generated: true, images: 64 });
    const expanded = await proofOf('expand', 'run/fused.safetensors', '--out', 'e.safetensors');
    expect(expanded).toMatchObject({ code: 0, generated: true });
    // A run whose images are gone.
    renameSync(at('photos'), at('moved'));
    const { code, err } = await cli(folder, 'prove', 'run');
    renameSync(at('moved'), at('photos'));
    expect(code).toBe(0);
    expect(err).toMatch(/warning: No images were named, and those of the run can't be used: .*photos/);
    const nowhere = await cli(folder, 'prove', 'run', '--images', 'nowhere');
    expect(nowhere.code).toBe(1);
  });
});
