/** `load` of the built `mobileone/web` in real Chromium: every kind of picture, the answers of Node, threads with and without isolation. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeModel } from '../../src/checkpoint/model-file.ts';
import type { Prediction } from '../../src/embed/model.ts';
import { load } from '../../src/node.ts';
import { chromiumReady } from './chromium.ts';
import { temporaryFolder } from './cli-process.ts';
import { type Browser, openBrowser, type Page } from './devtools.ts';
import { smallModel, write, writePictures } from './embedded.ts';
import { ISOLATION, type StaticServer, serveFolders } from './static-server.ts';

const { folder, remove } = temporaryFolder();
const at = (...names: string[]): string => join(folder, ...names);

/** Ways to give a picture by its name, as text that runs in the page; \`file\` is its address. */
const WAYS: Readonly<Record<string, string>> = {
  address: 'file',
  blob: '(await fetch(file)).blob()',
  bytes: 'new Uint8Array(await (await fetch(file)).arrayBuffer())',
  bitmap: 'createImageBitmap(await (await fetch(file)).blob())',
  image: 'Object.assign(new Image(), { src: file })',
  canvas: 'draw(document.createElement("canvas"))',
  'canvas off the screen': 'draw(new OffscreenCanvas(1, 1))',
  'image data': 'draw(new OffscreenCanvas(1, 1)).then((c) => c.getContext("2d").getImageData(0, 0, c.width, c.height))',
  'video frame': 'draw(new OffscreenCanvas(1, 1)).then((c) => new VideoFrame(c, { timestamp: 0 }))',
};
/** What all pages define: `ways` to give a picture, and `ask`, which classifies it. */
const HELPERS = `
const draw = (file) => async (canvas) => {
  const bitmap = await createImageBitmap(await (await fetch(file)).blob());
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  canvas.getContext('2d').drawImage(bitmap, 0, 0);
  return canvas;
};
const give = { ${Object.entries(WAYS)
  .map(
    ([name, text]) =>
      `${JSON.stringify(name)}: async (file) => { const drawn = draw(file); return ${text.replaceAll('draw(', 'drawn(')}; }`,
  )
  .join(', ')} };`;
const PAGE = `<!doctype html><title>test</title><script type="module">
import { load } from '/dist/web.js';
${HELPERS}
globalThis.load = load;
globalThis.ask = async (model, way, file) => model.classify(await give[way](file), { topK: 9 });
globalThis.ready = true;
</script>`;
const WORKER = `
import { load } from '/dist/web.js';
onmessage = async ({ data: files }) => {
  const model = await load('/model.safetensors', { threads: 2 });
  const answers = await model.classify(files, { topK: 9 });
  postMessage({ runtime: model.runtime, answers });
};`;

let browser: Browser;
let pictures: string[];
/** Answers of Node, by picture. */
let expected: ReadonlyMap<string, Prediction[]>;
const servers: Record<'isolated' | 'plain', StaticServer | undefined> = { isolated: undefined, plain: undefined };

beforeAll(async () => {
  if (!chromiumReady) return;
  await write(at('model.safetensors'), encodeModel(await smallModel()));
  await write(at('index.html'), PAGE);
  await write(at('worker.js'), WORKER);
  pictures = await writePictures(at('pictures'));
  const model = await load(at('model.safetensors'));
  const answers = await model.classify(
    pictures.map((name) => at('pictures', name)),
    { topK: 9 },
  );
  expected = new Map(pictures.map((name, i) => [name, answers[i]!]));
  await model.dispose();
  const folders = { '/': folder, '/dist/': 'dist' };
  servers.isolated = await serveFolders(folders, ISOLATION);
  servers.plain = await serveFolders(folders);
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  servers.isolated?.close();
  servers.plain?.close();
  remove();
});

async function openPage(server: StaticServer): Promise<Page> {
  const page = await browser.open(server.url);
  await page.until('globalThis.ready');
  return page;
}

/** Largest difference of a class's probability. */
function difference(actual: readonly Prediction[], wanted: readonly Prediction[]): number {
  const of = new Map(wanted.map(({ label, probability }) => [label, probability]));
  return Math.max(...actual.map(({ label, probability }) => Math.abs(probability - of.get(label)!)));
}

/** JPEG and WebP decoders may round differently, and so do color profiles and transparency. */
const boundOf = (name: string): number => (/^(plain|large|small|gray)\.png$/.test(name) ? 1e-5 : 1e-2);

describe.skipIf(!chromiumReady).each(['isolated', 'plain'] as const)(
  'in a page, %s (skipped without Chromium or a build)',
  (how) => {
    let page: Page;
    beforeAll(async () => {
      page = await openPage(servers[how]!);
      await page.evaluate(`load('/model.safetensors', { threads: 2 }).then((model) => { globalThis.model = model; })`);
    });

    test('threads are those asked for where the page is isolated, else one, and it says why', async () => {
      const runtime = await page.evaluate<string>('model.runtime');
      expect(runtime).toMatch(
        how === 'isolated' ? /bit, 2 threads$/ : /1 thread: the page is not cross-origin isolated \(.*\)$/,
      );
    });

    test.each(Object.keys(WAYS))('pictures as %s have the answers of Node', async (way) => {
      // The large one takes a while; frames are not transparent.
      const chosen = pictures.filter(
        (name) =>
          (how === 'isolated' || /^(plain|rotated)/.test(name)) &&
          (name !== 'large.png' || /^(blob|image)$/.test(way)) &&
          (name !== 'alpha.png' || way !== 'video frame'),
      );
      for (const name of chosen) {
        const answers = await page.evaluate<Prediction[]>(`ask(model, '${way}', '/pictures/${name}')`);
        expect([name, difference(answers, expected.get(name)!) < boundOf(name)]).toEqual([name, true]);
      }
      expect(page.errors).toEqual([]);
    });

    test('a video that plays', async () => {
      const answers = await page.evaluate<Prediction[]>(`(async () => {
      const canvas = document.createElement('canvas');
      const bitmap = await createImageBitmap(await (await fetch('/pictures/plain.png')).blob());
      [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
      const context = canvas.getContext('2d');
      const video = document.createElement('video');
      const early = await model.classify(video).catch((error) => error.message);
      if (early !== 'The video has no frame yet.') throw new Error(early);
      Object.assign(video, { muted: true, srcObject: canvas.captureStream() });
      const drawing = setInterval(() => context.drawImage(bitmap, 0, 0), 30);
      await video.play();
      await new Promise((resolve) => video.requestVideoFrameCallback(resolve));
      const answers = await model.classify(video, { topK: 9 });
      clearInterval(drawing);
      return answers;
    })()`);
      // Video halves the resolution of colors.
      expect(difference(answers, expected.get('plain.png')!)).toBeLessThan(0.1);
      expect(answers[0]!.label).toBe(expected.get('plain.png')![0]!.label);
    });

    test('the page goes on while threads compute', async () => {
      const [turns, answers] = await page.evaluate<[number, Prediction[][]]>(`(async () => {
      const image = await createImageBitmap(await (await fetch('/pictures/plain.png')).blob());
      let turns = 0;
      let done = false;
      const counting = (async () => { while (!done) { await new Promise((resolve) => setTimeout(resolve)); turns++; } })();
      const answers = await model.classify(Array(20).fill(image), { topK: 9 });
      done = true;
      await counting;
      return [turns, answers];
    })()`);
      for (const answer of answers) expect(difference(answer, expected.get('plain.png')!)).toBeLessThan(1e-5);
      expect(turns).toBeGreaterThan(how === 'isolated' ? 3 : 0);
    });
  },
);

describe.skipIf(!chromiumReady)('elsewhere, and refusals', () => {
  test.each(['isolated', 'plain'] as const)('in a worker, %s', async (how) => {
    const page = await openPage(servers[how]!);
    const names = pictures.filter((name) => name !== 'large.png');
    const files = names.map((name) => `/pictures/${name}`);
    const { runtime, answers } = await page.evaluate<{
      runtime: string;
      answers: Prediction[][];
    }>(`new Promise((resolve, reject) => {
      const worker = new Worker('/worker.js', { type: 'module' });
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = reject;
      worker.postMessage(${JSON.stringify(files)});
    })`);
    expect(runtime).toMatch(how === 'isolated' ? /2 threads$/ : /, 1 thread: /);
    for (const [i, name] of names.entries())
      expect(difference(answers[i]!, expected.get(name)!)).toBeLessThan(boundOf(name));
  });

  test('only the kernels that the browser runs are fetched, and nothing of training', async () => {
    const before = servers.plain!.requests.length;
    const page = await openPage(servers.plain!);
    await page.evaluate(`load('/model.safetensors')`);
    const asked = servers.plain!.requests.slice(before);
    expect(asked.filter((path) => /inference/.test(path))).toEqual(['/dist/relaxed-inference.js']);
    expect(asked.filter((path) => path.endsWith('.wasm'))).toEqual([]);
  });

  test('progress, abort, and refusals', async () => {
    const page = await openPage(servers.plain!);
    const other = servers.isolated!.url;
    const results = await page.evaluate<Record<string, string>>(`(async () => {
      const told = (promise) => promise.then(() => 'no error', (error) => [error.name, error.message, error.hint].join(' | '));
      const seen = [];
      const model = await load('/model.safetensors', { onProgress: (loaded, total) => seen.push(loaded / total) });
      const abroad = Object.assign(new Image(), { src: '${other}pictures/plain.png' });
      return {
        progress: String(seen.at(-1)),
        aborted: await told(load('/model.safetensors', { signal: AbortSignal.abort() })),
        missing: await told(load('/none.safetensors')),
        page: await told(load('/index.html')),
        abroad: await told(load('${other}model.safetensors')),
        picture: await told(model.classify('/worker.js')),
        broken: await told(model.classify(Object.assign(new Image(), { src: '/worker.js' }))),
        tainted: await told(model.classify(abroad)),
        wrong: await told(model.classify({})),
      };
    })()`);
    expect(results).toMatchObject({
      progress: '1',
      aborted: expect.stringMatching(/^AbortError/),
      missing: expect.stringMatching(
        /^UserError .*none.safetensors could not be fetched: the server answered 404.*deployed/,
      ),
      page: expect.stringMatching(/index.html is not a model file: it is an HTML page.* check the path/),
      abroad: expect.stringMatching(/could not be fetched.*Access-Control-Allow-Origin/),
      picture: expect.stringMatching(/worker.js is not an image: it is text/),
      broken: expect.stringMatching(/image element could not load/),
      tainted: expect.stringMatching(/another site.*crossorigin/),
      wrong: expect.stringMatching(/This is no image: \[object Object\]/),
    });
  });
});
