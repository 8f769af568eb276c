/** Opens a page of the built library in real Chromium and waits for what it posts to /answer. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const CHROMIUM: string | undefined = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync);
/** The project, from this source file or from a bundle in build/. */
const ROOT = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../' : '../', import.meta.url));
/** Whether there is a Chromium and a built library. */
export const chromiumReady: boolean = CHROMIUM !== undefined && existsSync(join(ROOT, 'dist/web.js'));

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript',
  mjs: 'text/javascript',
  wasm: 'application/wasm',
  json: 'application/json',
  png: 'image/png',
};
export const FLAGS: readonly string[] = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A page that starts /worker.js as a module worker and reports when that fails. */
export const WORKER_PAGE = `<!doctype html><script type="module">
const report = (message) => fetch('/answer', { method: 'POST', body: JSON.stringify({ error: message }) });
const worker = new Worker('/worker.js', { type: 'module' });
worker.onerror = (event) => report(event.message || 'the worker did not load');
</script>`;

/** A page that runs /worker.js itself and reports when that fails. */
export const PLAIN_PAGE = `<!doctype html><script type="module">
import('/worker.js').catch((error) => fetch('/answer', { method: 'POST', body: JSON.stringify({ error: String(error) }) }));
</script>`;

export interface PageOptions {
  /** Texts (or bytes) by path; `/` is the page. Files under /dist/ and /build/ are served from the project. */
  readonly texts: Readonly<Record<string, string | Uint8Array>>;
  /** Serve /node_modules/ too. */
  readonly modules?: boolean;
  /** Send the headers that make the page cross-origin isolated; default true. */
  readonly isolated?: boolean;
  /** Headers of every answer, beside those. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Serves the page, opens Chromium on it, and returns the JSON that it posts to /answer. */
export async function answerFromChromium({
  texts,
  isolated = true,
  modules = false,
  headers = {},
}: PageOptions): Promise<Record<string, unknown>> {
  const profile = await mkdtemp(join(tmpdir(), 'mobileone-chromium-'));
  let browser: ChildProcess | undefined;
  const isolation = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
  const server = createServer();
  try {
    return await new Promise((resolve, reject) => {
      server.on('request', async (request, response) => {
        const path = request.url ?? '/';
        const send = (type: string, body: string | Uint8Array): void => {
          response.writeHead(200, { 'content-type': type, ...(isolated ? isolation : {}), ...headers });
          response.end(body);
        };
        const type = TYPES[path.split('.').at(-1)!] ?? 'text/html';
        if (path === '/answer') {
          let body = '';
          for await (const chunk of request) body += chunk;
          send('text/plain', 'thanks');
          resolve(JSON.parse(body));
        } else if (texts[path] !== undefined) send(type, texts[path]);
        else if (
          (modules ? /^\/(dist|build|node_modules)\// : /^\/(dist|build)\//).test(path) &&
          !path.includes('..')
        ) {
          const bytes = await readFile(join(ROOT, path)).catch(() => undefined);
          if (bytes) send(type, bytes);
          else response.writeHead(404).end();
        } else response.writeHead(404).end();
      });
      server.listen(0, '127.0.0.1', () => {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
        browser = spawn(CHROMIUM!, [...FLAGS, `--user-data-dir=${profile}`, url], { stdio: 'ignore' });
        browser.once('error', reject);
      });
    });
  } finally {
    browser?.kill('SIGKILL');
    server.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
