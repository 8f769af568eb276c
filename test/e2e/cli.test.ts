/** The command line as a process: what it makes. What it refuses is in `refusals.test.ts`. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FIELD_NAMES } from '../../src/recipe/fields.ts';
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
    for (const verb of ['train', 'eval', 'predict', 'fuse', 'export', 'verify', 'import', 'runs', 'info', 'bench'])
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
      'report.html',
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
    expect(file.out).toMatch(/top-1 \d+\.\d\d % .* ECE \d+\.\d\d %/);
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

  it('measures both forms on every runtime there is', async () => {
    const { code, out } = await cli(folder, 'bench', 'run', '--rounds', '2', '--runs', '5', '--json');
    expect(code).toBe(0);
    const { measurements, protocol } = JSON.parse(out) as {
      measurements: { name: string; key: string; minimum: number; mean: number; difference?: number }[];
      protocol: object;
    };
    expect(protocol).toEqual({ warmup: 5, rounds: 2, runsPerRound: 5, trim: 1 });
    expect(measurements.map(({ name, key }) => `${name}: ${key}`)).toEqual([
      'train form, branches: wasm',
      ...['wasm', 'ort-node', 'ort-web', 'litert'].map((key) => `fused: ${key}`),
    ]);
    for (const { minimum, mean, difference = 0 } of measurements) {
      expect(minimum).toBeLessThanOrEqual(mean);
      expect(difference).toBeLessThan(1e-4);
    }
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

  it('describes the networks of the zoo', async () => {
    const net = await cli(folder, 'info', 'MobileNetV2_100');
    expect(net.out).toContain('fused form, 3,487,816 parameters, 300,774,272 MACs at 224 px');
    expect(net.out).toContain('published: 3.4 M parameters, 300 M MACs, top-1 72.0 %');
    const train = JSON.parse((await cli(folder, 'info', 'repvgg_a0', '--json')).out) as object;
    expect(train).toMatchObject({ form: 'train', params: 9_108_968, fusedParams: 8_309_384, macs: 1_512_581_120 });
    expect((await cli(folder, 'info', 'u0', '--fused', '--size', '64')).out).toContain('our reconstruction');
  });

  it('shows how a model would be trained, and what memory that takes', async () => {
    const sizes = ['--plan', '--size', '64', '--threads', '2'];
    const one = await cli(folder, 'info', 's1', ...sizes, '--batch', '16');
    expect(one.out).toMatch(/^stages\.\d\.\d+ +RepConv +explicit +\d+ +\d+/m);
    expect(one.out).toMatch(/batch 16, 64 px, 2 threads: [\d.]+ MiB of state, [\d.]+ MiB of activations/);
    const plans = [8, 16].map(async (batch) => {
      const { out } = await cli(folder, 'info', 's0', ...sizes, '--json', '--batch', String(batch));
      return JSON.parse(out) as { nodes: { form?: string }[]; memory: { state: number; activations: number } };
    });
    const [small, large] = await Promise.all(plans);
    expect(large!.nodes.some(({ form }) => form === 'online')).toBe(true);
    expect(large!.memory.activations).toBeGreaterThan(1.2 * small!.memory.activations);
    expect(large!.memory.state).toBe(small!.memory.state);
  });

  it('begins with the weights of a model, whatever its classes', async () => {
    await makeImages(at('two'), 10, ['green', 'red']);
    const { code, out } = await cli(
      folder,
      'train',
      'two',
      '--pretrained',
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
      '--pretrained',
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

  it('begins with a fused model, whose weights become branches', async () => {
    const sizes = ['-k', '3', '--size', '32', '--batch-size', '8', '--epochs', '1', '--threads', '1'];
    const { code, out, err } = await cli(
      folder,
      'train',
      'photos',
      '--pretrained',
      'run/fused.safetensors',
      ...sizes,
      '--out',
      'grown',
    );
    expect(err).toBe('');
    expect(out).toContain('expanded to 3 conv branches a block');
    expect(code).toBe(0);
    const grown = JSON.parse((await cli(folder, 'info', 'grown', '--json')).out) as { config: object };
    expect(grown.config).toMatchObject({ num_conv_branches: 3, depths: [1, 1, 1, 1] });
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

  it('explains the recipe: every value, what auto comes to, and its origin', async () => {
    writeFileSync(at('explained.yaml'), 'preset: quick\nepochs: 7\n');
    const args = ['train', '--explain', '--recipe', 'explained.yaml', '--batch-size', '64', '--variant', 's1'];
    const { code, out } = await cli(folder, ...args);
    expect(code).toBe(0);
    expect(out).toMatch(/^epochs +7 +explained\.yaml$/m);
    expect(out).toMatch(/^batch_size +64 +--batch-size$/m);
    expect(out).toMatch(/^size +96 +preset quick$/m);
    expect(out).toMatch(/^num_conv_branches +auto: 1 +default$/m);
    const fields = JSON.parse((await cli(folder, ...args, '--json')).out) as { field: string; resolved?: unknown }[];
    expect(fields.map(({ field }) => field)).toEqual(FIELD_NAMES);
    expect(fields.every((field) => !('value' in field && field.value === null) || 'resolved' in field)).toBe(true);
    const plain = JSON.parse((await cli(folder, 'train', '--explain', '--json')).out) as {
      field: string;
      resolved?: unknown;
    }[];
    expect(plain.find(({ field }) => field === 'lr')?.resolved).toBe(0.0125);
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
});
