/** A small app that imports `mobileone/web` as an installed package: built by Vite, and from its development server, in Chromium. */
import { readdirSync, statSync } from 'node:fs';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PROMISED } from '../../bench/bundle-size.ts';
import { encodeModel } from '../../src/checkpoint/model-file.ts';
import type { Prediction } from '../../src/embed/model.ts';
import { load } from '../../src/node.ts';
import { chromiumReady } from '../e2e/chromium.ts';
import { temporaryFolder } from '../e2e/cli-process.ts';
import { type Browser, openBrowser } from '../e2e/devtools.ts';
import { smallModel, write, writePictures } from '../e2e/embedded.ts';
import { serveFolders } from '../e2e/static-server.ts';

const APP = `
import { load } from 'mobileone/web';
const model = await load('/model.safetensors');
globalThis.answer = await model.classify('/pictures/plain.png');
`;
const WORKER_APP = `
const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
worker.onmessage = ({ data }) => { globalThis.answer = data; };
`;
const WORKER = `
import { load, type Prediction } from 'mobileone/web';
const model = await load('/model.safetensors');
const answer: Prediction[] = await model.classify('/pictures/plain.png');
postMessage(answer);
`;

describe.skipIf(!chromiumReady)('an app with Vite (skipped without Chromium or a build)', () => {
  const { folder, remove } = temporaryFolder();
  const at = (...names: string[]): string => join(folder, ...names);
  let browser: Browser;
  let expected: Prediction[];

  beforeAll(async () => {
    await cp('dist', at('node_modules', 'mobileone', 'dist'), { recursive: true });
    await cp('package.json', at('node_modules', 'mobileone', 'package.json'));
    const { dependencies } = JSON.parse(await readFile('package.json', 'utf8')) as { dependencies: object };
    for (const name of Object.keys(dependencies)) {
      await mkdir(dirname(at('node_modules', name)), { recursive: true });
      await symlink(resolve('node_modules', name), at('node_modules', name));
    }
    await write(at('public', 'model.safetensors'), encodeModel(await smallModel()));
    await writePictures(at('public', 'pictures'));
    for (const [name, app] of [
      ['page', APP],
      ['from-worker', WORKER_APP],
    ] as const) {
      await write(
        at(`${name}.html`),
        `<!doctype html><title>app</title><script type="module" src="/${name}.ts"></script>`,
      );
      await write(at(`${name}.ts`), app);
    }
    await write(at('worker.ts'), WORKER);
    const model = await load(at('public', 'model.safetensors'));
    expected = await model.classify(at('public', 'pictures', 'plain.png'));
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    remove();
  });

  const common = { root: folder, configFile: false, logLevel: 'error' } as const;
  const check = async (url: string): Promise<void> => {
    for (const name of ['page', 'from-worker']) {
      const page = await browser.open(`${url}${name}.html`);
      await page.until('globalThis.answer', `the answer of ${name}.html`);
      const answer = await page.evaluate<Prediction[]>('globalThis.answer');
      expect(answer.map(({ label }) => label)).toEqual(expected.map(({ label }) => label));
      answer.forEach(({ probability }, i) => {
        expect(probability).toBeCloseTo(expected[i]!.probability, 5);
      });
      expect(page.errors).toEqual([]);
    }
  };

  test('vite build', async () => {
    const { build } = await import('vite');
    await build({
      ...common,
      build: { rolldownOptions: { input: [at('page.html'), at('from-worker.html')] }, target: 'es2022' },
      worker: { format: 'es' },
    });
    const scripts = readdirSync(at('dist', 'assets')).filter((name) => name.endsWith('.js'));
    const sizes = scripts.map((name) => statSync(at('dist', 'assets', name)).size);
    expect(Math.max(...sizes)).toBeLessThan(PROMISED.raw);
    const server = await serveFolders({ '/': at('dist') });
    await check(server.url);
    server.close();
  });

  test('vite dev', async () => {
    const { createServer } = await import('vite');
    const server = await createServer({ ...common, server: { port: 0, host: '127.0.0.1' } });
    await server.listen();
    await check(server.resolvedUrls!.local[0]!);
    await server.close();
  });
});
