/** Drives real Chromium by its DevTools protocol over a pipe: pages of any size, clicks, scripts, screenshots. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

const FLAGS = [
  ...['--headless', '--no-sandbox', '--no-first-run', '--disable-background-networking'],
  ...['--disable-component-update', '--disable-sync', '--remote-debugging-pipe'],
];

export interface Viewport {
  readonly width: number;
  readonly height: number;
  readonly phone?: boolean;
  readonly scheme?: 'light' | 'dark';
}

export interface Page {
  goto(url: string): Promise<void>;
  /** Value of an expression, promises awaited; throws what it throws. */
  evaluate<T>(expression: string): Promise<T>;
  /** Waits until an expression is true. */
  until(expression: string, seconds?: number): Promise<void>;
  screenshot(): Promise<Buffer>;
}

export interface Browser {
  page(viewport: Viewport): Promise<Page>;
  close(): Promise<void>;
}

interface Reply {
  readonly id?: number;
  readonly method?: string;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** Starts Chromium; `flags` are added to the usual ones. */
export async function openBrowser(flags: readonly string[] = []): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'mobileone-browser-'));
  const child: ChildProcess = spawn(CHROMIUM!, [...FLAGS, ...flags, `--user-data-dir=${profile}`], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, (reply: Reply) => void>();
  let rest = '';
  let count = 0;
  output.setEncoding('utf8');
  output.on('data', (text: string) => {
    const parts = (rest + text).split('\0');
    rest = parts.pop()!;
    for (const part of parts) {
      const reply = JSON.parse(part) as Reply;
      if (reply.id !== undefined) waiting.get(reply.id)?.(reply);
    }
  });
  const send = (method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = ++count;
      waiting.set(id, ({ result, error }) => {
        waiting.delete(id);
        if (error) reject(new Error(`${method}: ${error.message}`));
        else resolve(result ?? {});
      });
      input.write(`${JSON.stringify({ id, method, params, ...(sessionId ? { sessionId } : {}) })}\0`);
    });
  return {
    async page({ width, height, phone = false, scheme = 'light' }) {
      const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
      const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true });
      const call = (method: string, params: object = {}): Promise<Record<string, unknown>> =>
        send(method, params, sessionId as string);
      await call('Page.enable');
      await call('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: phone ? 2 : 1,
        mobile: phone,
      });
      if (phone) await call('Emulation.setTouchEmulationEnabled', { enabled: true });
      await call('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
      const page: Page = {
        async goto(url) {
          await call('Page.navigate', { url });
          await page.until('document.readyState === "complete"', 30);
        },
        async evaluate<T>(expression: string) {
          const { result, exceptionDetails } = (await call('Runtime.evaluate', {
            expression,
            awaitPromise: true,
            returnByValue: true,
          })) as { result: { value: T }; exceptionDetails?: { exception?: { description?: string }; text: string } };
          if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
          return result.value;
        },
        async until(expression, seconds = 100) {
          const end = Date.now() + 1000 * seconds;
          while (!(await page.evaluate<boolean>(`Boolean(${expression})`).catch(() => false))) {
            if (Date.now() > end)
              throw new Error(
                `after ${seconds} s still not: ${expression}; ${await page.evaluate<string>('document.body.innerText')}`,
              );
            await new Promise((resolve) => setTimeout(resolve, 100));
          }
        },
        async screenshot() {
          const { data } = await call('Page.captureScreenshot', { captureBeyondViewport: true });
          return Buffer.from(data as string, 'base64');
        },
      };
      return page;
    },
    async close() {
      child.kill('SIGKILL');
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
