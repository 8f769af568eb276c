/** The page that measures, in real Chromium: from the link to the result in the store, on a desktop and on a phone's screen. */

import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openResults } from '../../src/bench/results/store-node.ts';
import { saveTinyModel } from '../tiny-model.ts';
import { chromiumReady } from './chromium.ts';
import { built, cli, start, temporaryFolder } from './cli-process.ts';
import { type Browser, openBrowser, type Page, type Viewport } from './devtools.ts';

const { folder, remove } = temporaryFolder();
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const DONE = '/^(Done|It failed)/.test(document.getElementById("status").textContent)';
const READY = '!document.getElementById("start").disabled';
const CLICK = 'document.getElementById("start").click()';
const BENCH = ['bench', 'tiny.safetensors', '--rounds', '2', '--runs', '3', '--threads', '1,2'];
/** A graphics card that is a program takes its time: in `npm run test:long` only. */
const GPU = process.env.MOBILEONE_LONG === '1';
const VIEWPORTS: readonly (Viewport & { readonly name: string; readonly runtimes: string })[] = [
  { name: 'a desktop, light', width: 1280, height: 800, runtimes: 'wasm,ort-web,litert,ort-webnn' },
  {
    name: "a phone's screen, dark",
    width: 360,
    height: 740,
    mobile: true,
    scheme: 'dark',
    runtimes: GPU ? 'wasm,ort-webgpu' : 'wasm',
  },
];

/** What axe finds, in words. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(await readFile(AXE, 'utf8'));
  const found = await page.evaluate<{ id: string; nodes: { html: string }[] }[]>(
    'axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations)',
  );
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Whether anything is wider than the screen. */
const overflows = (page: Page): Promise<boolean> =>
  page.evaluate('document.documentElement.scrollWidth > document.documentElement.clientWidth');

describe.skipIf(!chromiumReady || !built)('a phone by link (skipped without Chromium or a build)', () => {
  let browser: Browser;
  beforeAll(async () => {
    await saveTinyModel(join(folder, 'tiny.safetensors'));
    // SwiftShader stands in for a graphics card; the certificate of --lan is nobody's.
    const gpu = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];
    browser = await openBrowser([...gpu, '--ignore-certificate-errors']);
  });
  afterAll(async () => {
    await browser?.close();
    remove();
  });

  it.each(VIEWPORTS)('measures on $name, posts back, and is kept', async ({ runtimes, ...viewport }) => {
    const run = start(folder, [...BENCH, '--runtime', runtimes, '--phone', ...(viewport.mobile ? ['--lan'] : [])]);
    const [url] = await run.until(/https?:\S+\//);
    const page = await browser.open(url, viewport);
    await page.until(READY);
    expect(await page.evaluate('crossOriginIsolated')).toBe(true);
    expect(await violations(page)).toEqual([]);
    await page.evaluate(CLICK);
    await page.until(DONE);
    expect(await page.evaluate('document.getElementById("status").textContent')).toMatch(/was sent/);
    expect(await violations(page)).toEqual([]);
    expect(await overflows(page)).toBe(false);
    const text = await page.evaluate<string>('document.body.innerText');
    expect(text).toMatch(/Fastest: .* ms a run/);
    const { code, out } = await run.done;
    expect(code).toBe(0);
    expect(out).toMatch(/Fastest: /);
    expect(out).toMatch(/Kept in/);
    const { rows } = await openResults(join(folder, '.results')).read('measurements');
    const kept = rows.filter(({ session }) => session === rows.at(-1)!.session);
    const keys = kept.map(({ runtime, threads }) => `${runtime}@${threads}`);
    expect(keys).toEqual(
      viewport.mobile
        ? ['wasm@1', 'wasm@2', ...(GPU ? ['ort-webgpu@1'] : [])]
        : ['wasm@1', 'wasm@2', 'ort-web@1', 'ort-web@2', 'litert@1', 'litert@2'],
    );
    for (const row of kept) {
      expect(row.host).toMatch(/Chrom/);
      expect(row.difference ?? 0).toBeLessThan(1e-3);
    }
    if (!viewport.mobile) expect(out).toMatch(/ort-webnn is not measured: This browser has no WebNN/);
  });

  it('as files on a plain web server: isolates itself, gives the result to download, which can be taken in', async () => {
    const written = await cli(folder, ...BENCH, '--runtime', 'wasm', '--static', 'site', '--soak', '1s');
    expect(written.out).toMatch(/^site: \d+ files/);
    const server = createServer(async (request, response) => {
      const name = new URL(request.url!, 'http://x').pathname.slice(1) || 'index.html';
      const bytes = await readFile(join(folder, 'site', name)).catch(() => undefined);
      const type = { html: 'text/html', js: 'text/javascript', json: 'application/json' }[name.split('.').at(-1)!];
      response.writeHead(bytes ? 200 : 404, { 'content-type': type ?? 'application/octet-stream' }).end(bytes);
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
      const page = await browser.open(url, { width: 412, height: 915, mobile: true });
      await page.until('crossOriginIsolated');
      await page.until(READY);
      await page.evaluate(CLICK);
      await page.until(DONE);
      expect(await page.evaluate('document.getElementById("status").textContent')).toMatch(/Save the result/);
      expect(await violations(page)).toEqual([]);
      const result = await page.evaluate<string>(
        'fetch(document.getElementById("download").href).then((response) => response.text())',
      );
      const { measurements, soaks } = JSON.parse(result) as { measurements: { threads: number }[]; soaks: object[] };
      expect([measurements.map(({ threads }) => threads), soaks.length]).toEqual([[1, 2], 1]);
      await writeFile(join(folder, 'result.json'), result);
      expect((await cli(folder, 'bench', '--import', 'result.json')).out).toMatch(/Kept in/);
    } finally {
      server.close();
    }
  });

  it('closes at Ctrl-C when no result came', async () => {
    const run = start(folder, [...BENCH, '--runtime', 'wasm', '--phone']);
    await run.until(/Waiting for a result/);
    run.child.kill('SIGINT');
    const { code, err } = await run.done;
    expect([code, err]).toEqual([0, 'No result came.\n']);
  });
});
