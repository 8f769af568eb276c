/** `readers/index.html`: an ONNX file in a browser. */
import type { Reader } from './reader.ts';

/** The version of onnxruntime-web that the page asks the network for. */
export const ORT_WEB = '1.30.0';

const text = (main: string): string => String.raw`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${main} in ONNX Runtime Web</title>
<style>
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark; }
  #drop { display: block; border: 2px dashed #888; border-radius: 8px; padding: 2rem; text-align: center; cursor: pointer; }
  #drop img { max-width: 100%; max-height: 20rem; display: block; margin: 1rem auto 0; }
  table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; } td img { width: 48px; display: block; }
  .small { color: #777; font-size: .9rem; }
</style>
<h1>${main}</h1>
<p id="status">Looking for ONNX Runtime Web …</p>
<p><button id="cdn" hidden>Load it from cdn.jsdelivr.net</button></p>
<label id="drop">Drop a picture, or click to choose one<input id="file" type="file" accept="image/*" hidden></label>
<ol id="answers"></ol>
<h2>Golden images</h2>
<table><thead><tr><th></th><th>expected</th><th>here</th><th>difference</th></tr></thead><tbody id="golden"></tbody></table>
<p class="small">Pictures stay in this page. The runtime is taken from <code>readers/ort/</code> if it is there, and from the network
only if you say so. To need no network, put <code>ort.wasm.bundle.min.mjs</code> and <code>ort-wasm-simd-threaded.wasm</code> of the npm
package onnxruntime-web (its folder <code>dist</code>) into <code>readers/ort/</code>; <code>mobileone export --with-runtime</code> does that.</p>
<script>
  if (location.protocol === 'file:')
    document.getElementById('status').textContent =
      'Browsers load no modules from disk. Serve the folder of the bundle, for instance by "npx http-server" or "python3 -m http.server", and open readers/index.html there.';
</script>
<script type="module">
import { center, compare, toChannels, toTensor, top } from './prepare.mjs';

const MODEL = '${main}';
const LOCAL = new URL('./ort/', location.href).href;
const CDN = 'https://cdn.jsdelivr.net/npm/onnxruntime-web@${ORT_WEB}/dist/';
const byId = (id) => document.getElementById(id);
const say = (text) => { byId('status').textContent = text; };
const inBundle = (path) => new URL('../' + path, location.href);

async function fetched(path) {
  const answer = await fetch(inBundle(path));
  if (!answer.ok) throw new Error(path + ': ' + answer.status + ' ' + answer.statusText);
  return answer;
}

const how = await (await fetched('preprocessing.json')).json();
const labels = (await (await fetched(how.output.labels)).text()).trimEnd().split('\n');

/** Decodes to bytes of as many channels as the model takes; a canvas rounds colors of half-transparent pixels. */
async function decode(blob) {
  const bitmap = await createImageBitmap(blob, { imageOrientation: 'from-image' });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  const alpha = how.channels === 2 || how.channels === 4;
  if (!alpha) {
    context.fillStyle = '#ffffff';
    context.fillRect(0, 0, width, height);
  }
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, channels: how.channels, data: toChannels(data, 4, how.channels) };
}

async function start(base) {
  const ort = await import(base + 'ort.wasm.bundle.min.mjs');
  ort.env.wasm.wasmPaths = { wasm: base + 'ort-wasm-simd-threaded.wasm' };
  ort.env.wasm.numThreads = self.crossOriginIsolated && base === LOCAL ? Math.min(4, navigator.hardwareConcurrency) : 1;
  const session = await ort.InferenceSession.create(await (await fetched(MODEL)).arrayBuffer(), { executionProviders: ['wasm'] });
  const run = async (picture) => {
    const { data, dims, dtype } = toTensor(picture, how, MODEL);
    const results = await session.run({ [session.inputNames[0]]: new ort.Tensor(dtype, data, dims) });
    return results.logits.data;
  };
  byId('cdn').hidden = true;
  say('Ready: ONNX Runtime Web ' + ort.env.versions.web + ', ' + ort.env.wasm.numThreads + ' thread(s), from ' + new URL(base).host + '.');
  return run;
}

/** Runs the golden images and shows what came out. */
async function checkGolden(run) {
  const { images } = await (await fetched('golden.json')).json();
  let right = 0;
  for (const entry of images) {
    const found = compare(await run(await decode(await (await fetched(entry.file)).blob())), entry, labels);
    if (found.right) right++;
    const row = byId('golden').insertRow();
    row.insertCell().append(Object.assign(new Image(), { src: inBundle(entry.file), alt: entry.file }));
    for (const cell of [found.expected, (found.right ? '✓ ' : '✗ ') + found.got, found.difference.toExponential(1)])
      row.insertCell().textContent = cell;
  }
  document.documentElement.dataset.golden = right + ' of ' + images.length;
}

/** Answers for a picture of any size: [{ label, probability }]. */
function classifier(run) {
  return async (blob) => top(await run(center(await decode(blob), how)), labels, how);
}

async function open(base) {
  const run = await start(base);
  window.classify = classifier(run);
  const show = async (file) => {
    if (!file) return;
    byId('drop').querySelector('img')?.remove();
    byId('drop').append(Object.assign(new Image(), { src: URL.createObjectURL(file), alt: '' }));
    const answers = await window.classify(file);
    byId('answers').replaceChildren(
      ...answers.map(({ label, probability }) =>
        Object.assign(document.createElement('li'), { textContent: label + ' ' + (100 * probability).toFixed(1) + ' %' }),
      ),
    );
  };
  byId('file').onchange = ({ target }) => show(target.files[0]);
  byId('drop').ondragover = (event) => event.preventDefault();
  byId('drop').ondrop = (event) => {
    event.preventDefault();
    show(event.dataTransfer.files[0]);
  };
  await checkGolden(run);
}

const fail = (error) => {
  say('That did not work: ' + (error.message ?? error));
  document.documentElement.dataset.golden = 'failed: ' + (error.message ?? error);
};
byId('cdn').onclick = () => {
  say('Loading from ' + new URL(CDN).host + ' …');
  open(CDN).catch(fail);
};
const local = await fetch(LOCAL + 'ort.wasm.bundle.min.mjs', { method: 'HEAD' }).catch(() => undefined);
if (local?.ok) await open(LOCAL).catch(fail);
else {
  say('ONNX Runtime Web is not in readers/ort/.');
  byId('cdn').hidden = false;
}
</script>
`;

/** The MIT license of the files that `--with-runtime` copies; their package has it only by name. */
const LICENSE = `ort.wasm.bundle.min.mjs and ort-wasm-simd-threaded.wasm are of ONNX Runtime Web (npm: onnxruntime-web).

MIT License

Copyright (c) Microsoft Corporation

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

export const ONNX_PAGE: Reader = {
  file: 'index.html',
  about:
    'a page, by ONNX Runtime Web: serve this folder by any static server and open it; the runtime lies in `readers/ort/`, or is loaded from a CDN after a click.',
  run: 'npx http-server . -o readers/index.html',
  text: ({ main }) => text(main),
  runtime: {
    package: 'onnxruntime-web',
    folder: 'ort',
    files: ['ort.wasm.bundle.min.mjs', 'ort-wasm-simd-threaded.wasm'],
    license: LICENSE,
  },
};
