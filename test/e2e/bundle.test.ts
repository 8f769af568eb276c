/** `export` and `verify` as processes: bundles of several formats, what is refused, and kills while a bundle is written. */
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { random } from '../../src/core/random.ts';
import { hasLiteRt } from '../../src/engine/litert-node.ts';
import type { Card } from '../../src/export/card.ts';
import { FORMATS, readersOf } from '../../src/export/formats-node.ts';
import { verifyBundle } from '../../src/export/verify-bundle-node.ts';
import { built, cli, makeImages, TINY, temporaryFolder } from './cli-process.ts';
import { countSteps, killExport, LAST_RENAME } from './killing-export.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);

describe.skipIf(!built)('bundles (built)', () => {
  beforeAll(async () => {
    await makeImages(at('photos'), 10);
    const { code, err } = await cli(folder, 'train', 'photos', ...TINY, '--epochs', '3', '--out', 'run');
    expect(err).toBe('');
    expect(code).toBe(0);
  });
  afterAll(remove);

  it('exports a bundle of several formats, each checked in its runtime, and verifies it', async () => {
    const { code, out } = await cli(folder, 'export', 'run', '--to', 'onnx,safetensors', '--title', 'Colors');
    expect(code).toBe(0);
    expect(out).toMatch(/^model\.onnx +ONNX, fp32, .* kB\n {2}checked on \d real images, .*onnxruntime-node/m);
    expect(out).toMatch(/^model\.safetensors .*\n {2}checked on \d real images, /m);
    expect(out).toMatch(/^fused +proved on \d images/m);
    expect(out).toContain('uint8 RGB [N, 32, 32, 3]');
    for (const name of ['model.onnx', 'model.safetensors', 'labels.txt', 'golden.json', 'card.json', 'README.md'])
      expect(existsSync(at('run', 'bundle', name)), name).toBe(true);
    const card = JSON.parse(readFileSync(at('run', 'bundle', 'card.json'), 'utf8')) as Card;
    expect(card.command).toMatch(/^mobileone train photos/);
    expect(card).toMatchObject({ title: 'Colors', data: { name: 'photos' }, golden: { source: 'real' } });
    expect(JSON.stringify(card)).not.toContain(folder);
    const record = JSON.parse(readFileSync(at('run', 'export.json'), 'utf8')) as { files: object };
    expect(Object.keys(record.files)).toEqual(['onnx', 'safetensors']);
    const html = readFileSync(at('run', 'report.html'), 'utf8');
    expect(html).toContain('<h2>Exported files</h2>');
    for (const name of ['model.onnx', 'model.safetensors']) expect(html).toContain(`<td>${name} against fused</td>`);

    const whole = await cli(folder, 'verify', 'run/bundle', '--images', 'photos');
    expect(whole.code, whole.out).toBe(0);
    expect(whole.out).toMatch(/all is well: \d+ checks$/m);
    expect(whole.out).toMatch(/^ok +model\.safetensors .* more images .*30 real images, the same first class/m);
    writeFileSync(at('run', 'bundle', 'labels.txt'), 'red\ngreen\nblue\n');
    const changed = await cli(folder, 'verify', 'run/bundle');
    expect(changed.code).toBe(1);
    expect(changed.out).toMatch(/^FAILED +labels\.txt .* was changed/m);
    const json = JSON.parse((await cli(folder, 'verify', 'run/bundle', '--json')).out) as { passed: boolean };
    expect(json).toMatchObject({ passed: false, title: 'Colors', findings: expect.any(Array) });

    // Only ONNX again: the other file has gone with the bundle, and with it its record.
    expect((await cli(folder, 'export', 'run', '--no-report')).code).toBe(0);
    expect(existsSync(at('run', 'bundle', 'model.safetensors'))).toBe(false);
    expect(readFileSync(at('run', 'export.json'), 'utf8')).not.toContain('safetensors');
  }, 180_000);

  it.skipIf(!hasLiteRt())(
    'exports every format at once, each with its readers, and verifies them',
    async () => {
      const names = FORMATS.map(({ name }) => name);
      const flags = ['--to', names.join(','), '--images', 'photos', '--out', 'all', '--no-report', '--json'];
      const exported = await cli(folder, 'export', 'run/fused.safetensors', ...flags);
      expect(exported).toMatchObject({ code: 0, err: '' });
      const { files } = JSON.parse(exported.out) as { files: { format: string; path: string }[] };
      expect(files.map(({ format }) => format)).toEqual(names);
      for (const one of files) expect(one).toMatchObject({ proof: { images: 30, passed: true } });
      const readers = names.flatMap((name) => readersOf(name).map(({ file }) => file));
      expect(new Set(readers).size).toBe(readers.length);
      expect(readdirSync(at('all', 'readers')).sort()).toEqual(readers.sort());
      const how = JSON.parse(readFileSync(at('all', 'preprocessing.json'), 'utf8')) as { inputs: object };
      expect(how.inputs).toMatchObject({
        'model.onnx': { dtype: 'uint8', layout: 'nhwc', normalization: 'inside' },
        'model.mlpackage': { dtype: 'picture', normalization: 'inside' },
        'web/index.html': { dtype: 'picture' },
      });
      const { passed, findings } = await verifyBundle(at('all'));
      expect(findings.filter(({ verdict }) => verdict !== 'ok')).toEqual([]);
      expect(passed).toBe(true);
    },
    180_000,
  );

  it('exports a file without images, and says what it was checked on', async () => {
    const flags = ['--layout', 'nchw', '--fixed-batch', '--form', 'train', '--size', '64', '--license', 'CC0'];
    const { out, err, code } = await cli(folder, 'export', 'run/model.safetensors', ...flags, '--json');
    expect(err).toContain('generated images');
    expect(code).toBe(0);
    const answer = JSON.parse(out) as { path: string; files: object[] };
    expect(answer.path).toBe('run/model-bundle');
    expect(answer.files).toEqual([
      expect.objectContaining({
        ...{ format: 'onnx', path: 'run/model-bundle/model.onnx', bytes: expect.any(Number) },
        proof: expect.objectContaining({ images: 64, generated: true, passed: true }),
        sha256: { 'model.onnx': expect.stringMatching(/^[0-9a-f]{64}$/) },
      }),
    ]);
    const card = readFileSync(at('run', 'model-bundle', 'README.md'), 'utf8');
    for (const part of ['train form', 'uint8 RGB [1, 3, 64, 64]', 'CC0', '64 generated images'])
      expect(card).toContain(part);
  });

  it.each([
    [['--to', 'onx'], 'Did you mean onnx?'],
    [['--to', ','], 'names no format'],
    [['--precision', 'int4'], 'Choose fp32 or fp16'],
    [['--layout', 'x'], 'Choose nhwc or nchw'],
    [['--form', 'x'], 'Choose fused or train'],
    [['--to', 'safetensors', '--precision', 'fp16'], 'written in fp32, not in fp16'],
    [['--to', 'safetensors', '--layout', 'nhwc'], '--layout'],
    [['--format', 'onnx'], "unknown option '--format'"],
  ])('refuses export %j', async (flags, message) => {
    const { code, err } = await cli(folder, 'export', 'run/fused.safetensors', ...flags, '--out', 'refused');
    expect(err).toContain(message);
    expect(code).toBe(2);
    expect(existsSync(at('refused'))).toBe(false);
  });

  it('names every format in its help', async () => {
    const { out } = await cli(folder, 'export', '--help');
    expect(out.replaceAll(/\s+/g, ' ')).toContain(FORMATS.map(({ name }) => name).join(', '));
  });

  it('leaves no half bundle when it is killed, and the next export clears up', async () => {
    const seed = Date.now() % 1_000_000;
    const rng = random(seed);
    const model = at('killed', 'm.safetensors');
    cpSync(at('run', 'fused.safetensors'), model);
    const steps = await countSteps(folder, model);
    const bundle = at('killed', 'm-bundle');
    const earlier = readFileSync(join(bundle, 'SHA256SUMS'), 'utf8');
    const files = readdirSync(at('killed')).sort();
    expect(files).toEqual(['m-bundle', 'm.safetensors']);
    for (const step of [rng.int(steps), rng.int(steps), steps - 1, LAST_RENAME]) {
      await killExport(folder, model, step, 'Another');
      // In the moment between the renames the earlier one waits beside; whoever looks puts it back.
      const { passed, card } = await verifyBundle(bundle);
      expect(passed, `killed at step ${step} (seed ${seed})`).toBe(true);
      if (step === LAST_RENAME) expect(card.title).toBe('Another');
      else expect(readFileSync(join(bundle, 'SHA256SUMS'), 'utf8')).toBe(earlier);
    }
    expect((await cli(folder, 'export', model)).code).toBe(0);
    expect(readdirSync(at('killed')).sort()).toEqual(files);
  }, 180_000);
});
