/** LiteRT.js, the browser runtime of TFLite files, in Node: it wants a few globals of a page while it loads. */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { compileFunction } from 'node:vm';
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

/** What the runtime would print: progress, and errors that say more than what it throws. */
const printed: string[] = [];
const print = (...parts: unknown[]): void => {
  printed.push(parts.map(String).join(' '));
  printed.splice(0, printed.length - 100);
};
const QUIET = { log: print, info: print, warn: print, error: print };

/** Loads the package once. Its wasm loader is a classic script, which a page would load and which finds out that this is Node. */
async function loadPackage(): Promise<LiteRt> {
  const require = createRequire(import.meta.url);
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
  const importScripts = (url: string): void => {
    const filename = fileURLToPath(url);
    const script = `${readFileSync(filename, 'utf8')}\nself.ModuleFactory = ModuleFactory;`;
    compileFunction(script, ['self', 'require', '__dirname', 'console'], { filename })(
      globalThis,
      require,
      folder,
      QUIET,
    );
  };
  const litert = await import('@litertjs/core');
  const globals = globalThis as Record<string, unknown>;
  const { self, importScripts: before } = globals;
  const { warn } = console;
  Object.assign(globals, { self: self ?? globalThis, importScripts });
  console.warn = print; // that there is no WebGPU
  try {
    await litert.loadLiteRt(pathToFileURL(`${folder}/`).href, { threads: false });
  } finally {
    console.warn = warn;
    for (const [name, value] of Object.entries({ self, importScripts: before }))
      if (value === undefined) delete globals[name];
      else globals[name] = value;
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
  printed.length = 0;
  const model = await litert.loadAndCompile(bytes, { accelerator: 'wasm' }).catch((error: unknown) => {
    const why = printed.filter((line) => line.startsWith('ERROR')).join(' ') || String(error);
    throw new UserError(`The file can't be opened by LiteRT.js: ${why}`, 'Check that it is a complete TFLite file.');
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
      const outputs = await model.run(inputs).catch((error: unknown) => {
        throw new UserError(`LiteRT.js can't run the file: ${String(error)}`, 'Check that the input fits it.');
      });
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
    dispose() {
      try {
        model.delete();
      } catch {
        // A damaged file can break the runtime's memory; what it held goes with the process.
      }
    },
  };
}
