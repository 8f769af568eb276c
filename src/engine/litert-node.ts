/** LiteRT.js, the browser runtime of TFLite files, in Node: it wants a few globals of a page while it loads. */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runInThisContext } from 'node:vm';
import { UserError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';

export interface TfliteSession {
  /** E.g. `@litertjs/core 2.5.3, wasm, 1 thread`. */
  readonly description: string;
  /** Runs once. Feeds and results are tensors by name, as the file has them (images NHWC). */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  dispose(): void;
}

type LiteRt = typeof import('@litertjs/core');

let loaded: Promise<LiteRt> | undefined;

/** Loads the package once; its wasm loader is a classic script that looks for `importScripts`, `require` and `__dirname`. */
async function loadPackage(): Promise<LiteRt> {
  const require = createRequire(import.meta.url);
  const globals = globalThis as Record<string, unknown>;
  let root: string;
  try {
    root = dirname(dirname(require.resolve('@litertjs/core')));
  } catch {
    throw new UserError(
      'TFLite files are run by LiteRT.js, which is not installed.',
      'Install it: npm install @litertjs/core',
    );
  }
  const folder = join(root, 'wasm');
  globals.self ??= globalThis;
  globals.importScripts = (url: string) => {
    const path = String(url).startsWith('file:') ? new URL(url).pathname : String(url);
    runInThisContext(require('node:fs').readFileSync(path, 'utf8'), { filename: path });
  };
  globals.require = require;
  globals.__dirname = folder;
  const litert = await import('@litertjs/core');
  // It reports its progress, and that Node has no WebGPU, on the console; what it is loaded with is what it goes on to use.
  const { log, info, warn, error } = console;
  const quiet = (): void => {};
  Object.assign(console, { log: quiet, info: quiet, warn: quiet, error: quiet });
  try {
    await litert.loadLiteRt(pathToFileURL(`${folder}/`).href, { threads: false });
  } finally {
    Object.assign(console, { log, info, warn, error });
  }
  return litert;
}

/** Whether LiteRT.js is installed. */
export function hasLiteRt(): boolean {
  try {
    createRequire(import.meta.url).resolve('@litertjs/core');
    return true;
  } catch {
    return false;
  }
}

/** Loads LiteRT.js and tells its version. Throws a UserError if the package is missing. */
export async function liteRtVersion(): Promise<string> {
  loaded ??= loadPackage();
  await loaded;
  return (createRequire(import.meta.url)('@litertjs/core/package.json') as { version: string }).version;
}

/** Opens a TFLite file (bytes or path) on one thread. Throws a UserError if the package is missing or the file is none. */
export async function openTflite(file: Uint8Array | string): Promise<TfliteSession> {
  const version = await liteRtVersion();
  const litert = await loaded!;
  const bytes = typeof file === 'string' ? new Uint8Array(await readFile(file)) : file;
  const model = await litert.loadAndCompile(bytes, { accelerator: 'wasm' }).catch((error: unknown) => {
    throw new UserError(`The file can't be opened by LiteRT.js: ${String(error)}`, 'Check that it is a TFLite file.');
  });
  return {
    description: `LiteRT.js ${version} (wasm, 1 thread)`,
    async run(feeds) {
      const inputs = Object.fromEntries(
        Object.entries(feeds).map(([name, { data, shape }]) => [
          name,
          new litert.Tensor(data instanceof Uint8Array ? Uint8Array.from(data) : Float32Array.from(data), [...shape]),
        ]),
      );
      const outputs = await model.run(inputs);
      const results: Record<string, Tensor> = {};
      for (const [name, tensor] of Object.entries(outputs)) {
        const values = await tensor.data();
        results[name] = {
          shape: Array.from(tensor.type.layout.dimensions),
          data: Float32Array.from(values as Float32Array),
        };
        tensor.delete();
      }
      for (const tensor of Object.values(inputs)) tensor.delete();
      return results;
    },
    dispose: () => model.delete(),
  };
}
