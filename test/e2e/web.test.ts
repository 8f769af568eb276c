/** The library in a real browser: a training step and a fused inference in Chromium, compared with the reference engine here. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import {
  createReferenceEngine,
  fuse,
  initialState,
  loadState,
  mobileOne,
  modelConfig,
  scalar,
  trainStep,
} from '../../src/index.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
const DIST = fileURLToPath(new URL('../../dist/', import.meta.url));
const SIZE = 33;
const CONFIG = modelConfig('s0', { depths: [1, 1, 1, 1], widths: [0.25, 0.25, 0.25, 0.125], num_classes: 5 });

/** What runs in the page's worker; \`library\` is the built `mobileone/web`. */
const WORKER = `
import { fuse, initialState, loadState, mobileOne, modelConfig, scalar, trainStep, webWasmEngine } from '/dist/web.js';
const { config, size } = await (await fetch('/case')).json();
const engine = await webWasmEngine({ kernels: '/dist/kernels/' });
const model = mobileOne(config), state = initialState(model, 3);
const input = { shape: [4, 3, size, size], data: Float32Array.from({ length: 12 * size * size }, (_, i) => Math.sin(i * 0.7)) };
const target = { shape: [4, 5], data: new Float32Array(20).fill(0.2) };
const dims = { N: 4, H: size, W: size };
const step = await engine.compile(trainStep(model, 5, { momentum: 0.9, nesterov: false, ema: false }), { dims });
loadState(step, state);
const trained = await step.run({ input, target, lr: scalar(0.1), weight_decay: scalar(1e-4), bn_momentum: scalar(0.1) });
const fused = fuse(model, state);
const inference = await engine.compile(fused.graph, { dims });
loadState(inference, fused.state);
const { logits } = await inference.run({ input });
const answer = { description: engine.capabilities().description, loss: [...trained.loss.data], logits: [...logits.data], weight: [...step.read('stages.0.0.conv_kxk.1.conv.weight').data] };
await fetch('/answer', { method: 'POST', body: JSON.stringify(answer) });
`;
const PAGE = `<!doctype html><script type="module">
const report = (message) => fetch('/answer', { method: 'POST', body: JSON.stringify({ error: message }) });
const worker = new Worker('/worker.js', { type: 'module' });
worker.onerror = (event) => report(event.message || 'the worker did not load');
</script>`;

let server: Server | undefined;
let browser: ChildProcess | undefined;
let profile: string | undefined;

afterAll(async () => {
  browser?.kill('SIGKILL');
  server?.close();
  if (profile) await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

/** Serves the page and the built library, opens Chromium on it, and waits for the answer. */
async function answerFromBrowser(): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    server = createServer(async (request, response) => {
      const path = request.url ?? '/';
      const send = (type: string, body: string | Uint8Array): void => {
        response.writeHead(200, {
          'content-type': type,
          'cross-origin-opener-policy': 'same-origin',
          'cross-origin-embedder-policy': 'require-corp',
        });
        response.end(body);
      };
      if (path === '/answer') {
        let body = '';
        for await (const chunk of request) body += chunk;
        send('text/plain', 'thanks');
        resolve(JSON.parse(body));
      } else if (path === '/case') send('application/json', JSON.stringify({ config: CONFIG, size: SIZE }));
      else if (path === '/worker.js') send('text/javascript', WORKER);
      else if (path.startsWith('/dist/') && !path.includes('..')) {
        const bytes = await readFile(join(DIST, path.slice(6))).catch(() => undefined);
        if (bytes) send(path.endsWith('.wasm') ? 'application/wasm' : 'text/javascript', bytes);
        else response.writeHead(404).end();
      } else send('text/html', PAGE);
    });
    server.listen(0, '127.0.0.1', async () => {
      profile = await mkdtemp(join(tmpdir(), 'mobileone-chromium-'));
      const flags = [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        `--user-data-dir=${profile}`,
      ];
      browser = spawn(CHROMIUM!, [...flags, `http://127.0.0.1:${(server!.address() as AddressInfo).port}/`], {
        stdio: 'ignore',
      });
      browser.once('error', reject);
    });
  });
}

/** Largest difference relative to the largest value. */
function relativeError(actual: number[], expected: ArrayLike<number>): number {
  const values = Array.from(expected);
  return Math.max(...values.map((v, i) => Math.abs(v - actual[i]!))) / Math.max(...values.map(Math.abs));
}

const possible = CHROMIUM !== undefined && existsSync(join(DIST, 'web.js'));
test.skipIf(!possible)(
  'Chromium trains and infers like the reference (skipped without Chromium or a build)',
  async () => {
    const answer = await answerFromBrowser();
    expect(answer.error).toBeUndefined();
    const model = mobileOne(CONFIG);
    const state = initialState(model, 3);
    const dims = { N: 4, H: SIZE, W: SIZE };
    const input = {
      shape: [4, 3, SIZE, SIZE],
      data: Float32Array.from({ length: 12 * SIZE * SIZE }, (_, i) => Math.sin(i * 0.7)),
    };
    const reference = createReferenceEngine();
    const step = await reference.compile(trainStep(model, 5, { momentum: 0.9, nesterov: false, ema: false }), { dims });
    loadState(step, state);
    const target = { shape: [4, 5], data: new Float32Array(20).fill(0.2) };
    const trained = await step.run({
      input,
      target,
      lr: scalar(0.1),
      weight_decay: scalar(1e-4),
      bn_momentum: scalar(0.1),
    });
    const fused = fuse(model, state);
    const inference = await reference.compile(fused.graph, { dims });
    loadState(inference, fused.state);
    const { logits } = await inference.run({ input });
    expect(answer.description).toMatch(/SIMD/);
    expect(relativeError(answer.loss as number[], trained.loss!.data)).toBeLessThan(1e-4);
    expect(relativeError(answer.logits as number[], logits!.data)).toBeLessThan(1e-4);
    expect(relativeError(answer.weight as number[], step.read('stages.0.0.conv_kxk.1.conv.weight').data)).toBeLessThan(
      1e-4,
    );
  },
);
