/** The export format `web`: its files run in Node, and as a page in real Chromium, served by a plain static server. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeModel } from '../../src/checkpoint/model-file.ts';
import type { Tensor } from '../../src/core/tensor.ts';
import { type ExportOptions, FORMAT_BOUNDS } from '../../src/export/format.ts';
import { WEB } from '../../src/export/web/format-node.ts';
import { encodePng } from '../../src/images/encode-node.ts';
import { load, nodeWasmEngine } from '../../src/node.ts';
import { compareLogits, formRunner } from '../../src/reparam/prove.ts';
import { chromiumReady } from './chromium.ts';
import { temporaryFolder } from './cli-process.ts';
import { type Browser, openBrowser, type Page, type Viewport } from './devtools.ts';
import { SIZE, smallModel, write, writeAll, writePictures } from './embedded.ts';
import { ISOLATION, type StaticServer, serveFolders } from './static-server.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);
const model = await smallModel();
const images: Tensor = {
  shape: [3, SIZE, SIZE, 3],
  data: Uint8Array.from({ length: 3 * SIZE * SIZE * 3 }, (_, i) => (i * i + (i >> 7)) % 256),
};
afterAll(remove);

describe.each(WEB.precisions)('%s', (precision) => {
  test.each(['node', 'web'])('the written files, run by %s, give the logits of the model', async (runtime) => {
    const exported = await WEB.encode(model, { precision });
    const runner = await WEB.open!(exported.files, exported.main, { runtime });
    expect(runner.description).toMatch(/^mobileone \S+, wasm, .*, \d threads?/);
    const ours = formRunner(await nodeWasmEngine({ threads: 1 }), exported);
    const [actual, expected] = [await runner.logits(images), await ours.logits(images)];
    expect(actual.shape).toEqual([3, 7]);
    for (const { difference, maxAbs } of compareLogits(expected, actual, 3))
      expect(difference / maxAbs).toBeLessThan(FORMAT_BOUNDS[precision]);
    await runner.dispose();
    await ours.dispose();
  });

  test('the files, and what they say', async () => {
    const { files, main, options, weightsHash } = await WEB.encode(model, { precision, size: 64 });
    expect([...files.keys()]).toEqual(
      ['index.html', 'mobileone.js', 'model.safetensors', 'model.json'].map((name) => `web/${name}`),
    );
    expect([main, options.size]).toEqual(['web/index.html', 64]);
    const file = files.get('web/model.safetensors')!;
    const description = JSON.parse(new TextDecoder().decode(files.get('web/model.json')));
    expect(description).toMatchObject({
      layout: 1,
      model: 'model.safetensors',
      bytes: file.length,
      precision,
      classes: model.classes,
    });
    expect(description.sha256.weights).toBe(weightsHash);
    const { form, preprocessing } = decodeModel(file);
    expect([form, preprocessing.size]).toEqual(['fused', 64]);
    expect(file.length / (description.parameters * (precision === 'fp16' ? 2 : 4))).toBeLessThan(1.2);
  });
});

test.each<[ExportOptions, RegExp]>([
  [{ layout: 'nchw' }, /no use for the layout nchw/],
  [{ dynamicBatch: false }, /a fixed batch/],
  [{ dynamicSize: true }, /an open image size/],
  [{ preprocessing: false }, /preprocessing outside/],
  [{ form: 'train' }, /the train form/],
  [{ size: 7 }, /at least 32/],
])('%o is refused', async (options, message) => {
  await expect(WEB.encode(model, options)).rejects.toMatchObject({
    name: 'UserError',
    message: expect.stringMatching(message),
  });
});

test('weights that half precision does not hold, and an unknown runtime', async () => {
  const { shape, data } = model.state.get('head.fc.bias')!;
  const huge = new Map(model.state).set('head.fc.bias', { shape, data: data.map(() => 1e6) });
  await expect(WEB.encode({ ...model, state: huge }, { precision: 'fp16' })).rejects.toThrow(/head.fc.bias.*65504/);
  await expect(WEB.open!(new Map(), WEB.name, { runtime: 'tflite' })).rejects.toThrow(/no runtime "tflite"/);
});

const VIEWPORTS: Readonly<Record<string, Viewport>> = {
  'on a desk, light': { width: 1280, height: 900 },
  'on a phone, dark': { width: 390, height: 844, mobile: true, scheme: 'dark' },
};
const AXE = 'node_modules/axe-core';

describe.skipIf(!chromiumReady)('the page in Chromium (skipped without Chromium or a build)', () => {
  let browser: Browser;
  let plain: StaticServer;
  let isolated: StaticServer;
  let expected: string;

  beforeAll(async () => {
    const exported = await WEB.encode(model);
    const ours = formRunner(await nodeWasmEngine({ threads: 1 }), exported);
    const bytes = SIZE * SIZE * 3;
    const golden = [];
    await mkdir(at('bundle', 'golden'), { recursive: true });
    for (let i = 0; i < 3; i++) {
      const image = { shape: [1, SIZE, SIZE, 3], data: images.data.slice(i * bytes, (i + 1) * bytes) };
      const file = `golden/0${i}.png`;
      await writeFile(at('bundle', file), await encodePng(image));
      golden.push({ file, label: '', logits: [...(await ours.logits(image)).data] });
    }
    await ours.dispose();
    for (const [name, shift] of [
      ['bundle', 0],
      ['wrong', 0.1],
    ] as const) {
      await writeAll(at(name), exported.files);
      const shifted = golden.map((one) => ({
        ...one,
        file: `../bundle/${one.file}`,
        logits: one.logits.map((x) => x + shift),
      }));
      await write(at(name, 'golden.json'), JSON.stringify({ source: 'generated', engine: '', images: shifted }));
    }
    await writeAll(at('alone'), exported.files);
    await writeAll(at('empty'), exported.files);
    await write(at('empty', 'web', 'model.safetensors'), '');
    await writePictures(at('pictures'));
    const [best] = await (await load(at('bundle'))).classify(at('pictures', 'photo.jpg'));
    expected = `${best!.label}, ${(100 * best!.probability).toFixed(1)} %`;
    plain = await serveFolders({ '/': folder, '/axe/': AXE });
    isolated = await serveFolders({ '/': folder }, ISOLATION);
    browser = await openBrowser(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']);
  });
  afterAll(async () => {
    await browser?.close();
    plain?.close();
    isolated?.close();
  });

  const openPage = async (address: string, viewport?: Viewport): Promise<Page> => {
    const page = await browser.open(address, viewport);
    await page.until(`['checked', 'failed'].includes(document.documentElement.dataset.state)`);
    return page;
  };
  const text = (page: Page, id: string): Promise<string> =>
    page.evaluate(`document.getElementById('${id}').textContent`);
  const choose = async (page: Page, path: string): Promise<void> => {
    const { root } = (await page.send('DOM.getDocument')) as { root: { nodeId: number } };
    const { nodeId } = (await page.send('DOM.querySelector', { nodeId: root.nodeId, selector: '#file' })) as {
      nodeId: number;
    };
    await page.send('DOM.setFileInputFiles', { nodeId, files: [path] });
  };

  test.each(Object.entries(VIEWPORTS))(
    '%s: loads, checks the golden images, classifies a chosen file, has no faults',
    async (name, viewport) => {
      const page = await openPage(`${plain.url}bundle/web/`, viewport);
      expect(await text(page, 'problem')).toBe('');
      expect(await text(page, 'golden')).toMatch(/^✓ 3 of 3 golden images .*allowed: 1e-4/);
      await choose(page, at('pictures', 'photo.jpg'));
      await page.until(`document.getElementById('status').textContent === ${JSON.stringify(expected)}`);
      expect(await page.evaluate(`document.querySelectorAll('#answers li').length`)).toBe(5);
      expect(await text(page, 'time')).toMatch(/^\d+ ms/);
      expect(await text(page, 'facts')).toMatch(
        /fused.*48 × 48.*ant, bee.*top-1 91.3 %.*CC0.*1 thread: the page is not cross-origin isolated/s,
      );
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
      // axe is code of another kind of place than the page's policy allows, so it comes in by the protocol.
      await page.evaluate(await (await fetch(`${plain.url}axe/axe.min.js`)).text());
      const faults = await page.evaluate<string[]>(
        `axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ' ' + nodes.map(({ html }) => html)))`,
      );
      expect(faults).toEqual([]);
      expect(page.errors).toEqual([]);
      if (process.env.SCREENSHOTS) {
        const { data } = (await page.send('Page.captureScreenshot', { captureBeyondViewport: true })) as {
          data: string;
        };
        await writeFile(
          join(process.env.SCREENSHOTS, `${name.replaceAll(/\W+/g, '-')}.png`),
          Buffer.from(data, 'base64'),
        );
      }
    },
  );

  test('dropped and pasted pictures, and what is none', async () => {
    const page = await openPage(`${plain.url}bundle/web/`);
    const give = (type: 'drop' | 'paste', name: string): Promise<void> =>
      page.evaluate(`(async () => {
        const data = new DataTransfer();
        data.items.add(new File([await (await fetch('/${name}')).blob()], '${name}'));
        const options = { bubbles: true, cancelable: true, ${type === 'drop' ? 'dataTransfer' : 'clipboardData'}: data };
        document.getElementById('drop').dispatchEvent(${type === 'drop' ? 'new DragEvent' : 'new ClipboardEvent'}('${type}', options));
      })()`);
    for (const type of ['drop', 'paste'] as const) {
      await give(type, 'pictures/photo.jpg');
      await page.until(`document.getElementById('status').textContent === ${JSON.stringify(expected)}`);
      await give(type, 'bundle/web/model.json');
      await page.until(`document.getElementById('problem').textContent.includes('is not an image')`);
      expect(await text(page, 'answers')).toBe('');
    }
  });

  test('by keys alone: the file chooser and the camera; the camera answers until it is stopped', async () => {
    const page = await openPage(`${plain.url}bundle/web/`);
    const focused = (): Promise<string> => page.evaluate('document.activeElement.id');
    await page.press('Tab');
    expect(await focused()).toBe('file');
    await page.send('Page.setInterceptFileChooserDialog', { enabled: true });
    await page.press('Tab');
    expect(await focused()).toBe('camera');
    await page.press('Enter');
    await page.until(
      `document.querySelectorAll('#answers li').length === 5 && !document.getElementById('video').hidden`,
    );
    expect(await text(page, 'camera')).toBe('Stop the camera');
    await page.until(`document.getElementById('status').textContent !== ''`);
    await page.press(' ');
    await page.until(`document.getElementById('video').hidden`);
    expect(await text(page, 'camera')).toBe('Use the camera');
    expect(page.errors).toEqual([]);
  });

  test('isolated it has more threads; alone it has no golden images to check', async () => {
    expect(await text(await openPage(`${isolated.url}bundle/web/`), 'facts')).toMatch(/bit, \d+ threads?/);
    const page = await openPage(`${plain.url}alone/web/`);
    expect([await text(page, 'golden'), await text(page, 'problem')]).toEqual(['', '']);
  });

  test('wrong golden images, a broken model and a page from disk are told', async () => {
    expect(await text(await openPage(`${plain.url}wrong/web/`), 'golden')).toMatch(/^✗ 0 of 3 golden images/);
    expect(await text(await openPage(`${plain.url}empty/web/`), 'problem')).toMatch(
      /is not a model file: it is an empty file/,
    );
    const page = await browser.open(pathToFileURL(at('alone', 'web', 'index.html')).href);
    await page.until(`document.getElementById('problem').textContent.includes('npx http-server')`);
  });

  test('the page may ask nothing of any other place', async () => {
    const html = await (await fetch(`${plain.url}bundle/web/`)).text();
    expect(html).toContain("default-src 'none'");
    expect(html.match(/https?:\/\/[^\s"'`<>)]+/g) ?? []).toEqual([]);
  });
});
