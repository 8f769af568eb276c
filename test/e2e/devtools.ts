/** Real Chromium by its DevTools protocol over a pipe: real keys, files and viewports, without a package. */
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { CHROMIUM, FLAGS } from './chromium.ts';

interface Message {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

export interface Page {
  /** Sends a command of the protocol. */
  send(method: string, params?: object): Promise<Record<string, unknown>>;
  /** The value of an expression of the page, awaited. Throws what it throws. */
  evaluate<T>(expression: string): Promise<T>;
  /** Evaluates again and again until the value is true. */
  until(expression: string, what?: string): Promise<void>;
  /** Presses and lets go of a key, e.g. `Tab`, `Enter`, ` `. */
  press(key: string, modifiers?: number): Promise<void>;
  /** Errors of the page so far: exceptions nobody caught, and what went to console.error. */
  readonly errors: string[];
}

export interface Browser {
  /** Opens a page and waits until it has loaded. */
  open(url: string, viewport?: Viewport): Promise<Page>;
  close(): Promise<void>;
}

export interface Viewport {
  readonly width: number;
  readonly height: number;
  readonly mobile?: boolean;
  /** What `prefers-color-scheme` says. */
  readonly scheme?: 'light' | 'dark';
}

const KEYS: Readonly<Record<string, { code: string; windowsVirtualKeyCode: number; text?: string }>> = {
  Tab: { code: 'Tab', windowsVirtualKeyCode: 9 },
  Enter: { code: 'Enter', windowsVirtualKeyCode: 13, text: '\r' },
  ' ': { code: 'Space', windowsVirtualKeyCode: 32, text: ' ' },
};
const PATIENCE_MS = 60_000;

/** Starts Chromium. */
export async function openBrowser(flags: readonly string[] = []): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), 'mobileone-chromium-'));
  const child = spawn(CHROMIUM!, [...FLAGS, ...flags, '--remote-debugging-pipe', `--user-data-dir=${profile}`], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'],
  });
  const [input, output] = [child.stdio[3] as Writable, child.stdio[4] as Readable];
  const waiting = new Map<number, { resolve(message: Message): void }>();
  const listeners = new Set<(message: Message) => void>();
  let buffered = '';
  output.setEncoding('utf8').on('data', (text: string) => {
    const parts = (buffered + text).split('\0');
    buffered = parts.pop()!;
    for (const part of parts) {
      const message = JSON.parse(part) as Message;
      if (message.id !== undefined) waiting.get(message.id)?.resolve(message);
      else for (const listener of listeners) listener(message);
    }
  });
  let last = 0;
  const send = async (method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> => {
    const id = ++last;
    const answer = new Promise<Message>((resolve) => waiting.set(id, { resolve }));
    input.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { result, error } = await answer;
    waiting.delete(id);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result!;
  };

  const attach = async (targetId: string): Promise<Page> => {
    const { sessionId } = (await send('Target.attachToTarget', { targetId, flatten: true })) as { sessionId: string };
    const errors: string[] = [];
    listeners.add(({ sessionId: from, method, params }) => {
      if (from !== sessionId) return;
      if (method === 'Runtime.exceptionThrown') errors.push(JSON.stringify(params));
      if (method === 'Runtime.consoleAPICalled' && params!.type === 'error') errors.push(JSON.stringify(params!.args));
    });
    const own = (method: string, params?: object): Promise<Record<string, unknown>> => send(method, params, sessionId);
    const evaluate = async <T>(expression: string): Promise<T> => {
      const { result, exceptionDetails } = (await own('Runtime.evaluate', {
        expression,
        awaitPromise: true,
        returnByValue: true,
        userGesture: true,
      })) as { result: { value: T }; exceptionDetails?: { text: string; exception?: { description?: string } } };
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    };
    await own('Runtime.enable');
    await own('Page.enable');
    return {
      send: own,
      evaluate,
      errors,
      async until(expression, what = expression) {
        for (let waited = 0; !(await evaluate(expression).catch(() => false)); waited += 50) {
          if (waited > PATIENCE_MS) throw new Error(`not within a minute: ${what} (${errors.join('; ')})`);
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      },
      async press(key, modifiers = 0) {
        const event = { key, modifiers, ...KEYS[key] };
        await own('Input.dispatchKeyEvent', { type: 'keyDown', ...event });
        await own('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
      },
    };
  };

  return {
    async open(url, viewport) {
      const { targetId } = (await send('Target.createTarget', { url: 'about:blank' })) as { targetId: string };
      const page = await attach(targetId);
      if (viewport) {
        const { scheme = 'light', mobile = false, width, height } = viewport;
        await page.send('Emulation.setDeviceMetricsOverride', { width, height, mobile, deviceScaleFactor: 1 });
        const features = [{ name: 'prefers-color-scheme', value: scheme }];
        await page.send('Emulation.setEmulatedMedia', { features });
      }
      await page.send('Page.navigate', { url });
      await page.until(`document.readyState === 'complete' && location.href !== 'about:blank'`);
      return page;
    },
    async close() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await ended;
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
