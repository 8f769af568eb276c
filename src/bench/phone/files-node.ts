/** The files of the page: made ones as bytes, those of installed packages by their path. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { encodeSafetensors } from '../../checkpoint/safetensors.ts';
import { UserError } from '../../core/errors.ts';
import type { BenchModel, RuntimeKey } from '../runtimes.ts';
import { phonePage } from './page-html.ts';
import { FILES, type PhoneSetup } from './setup.ts';

/** Bytes, or where they lie. */
export type PhoneFile = Uint8Array | { readonly path: string };
/** By address relative to the page; the page itself is ''. Nothing else is served. */
export type PhoneFiles = ReadonlyMap<string, PhoneFile>;

export interface PhonePageOptions extends Omit<PhoneSetup, 'missing' | 'form' | 'dims'> {
  readonly bench: BenchModel;
}

/** `dist/`, seen from a bundle in it and from this source file. */
const DIST = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../../dist/' : './', import.meta.url));

const ORT_FILES: Readonly<Partial<Record<RuntimeKey, readonly string[]>>> = {
  'ort-web': ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs', 'ort-wasm-simd-threaded.wasm'],
  'ort-webgpu': ['ort.webgpu.min.mjs', 'ort-wasm-simd-threaded.asyncify.mjs', 'ort-wasm-simd-threaded.asyncify.wasm'],
};
const LITERT_WASM = [
  ...['litert_wasm_internal', 'litert_wasm_compat_internal', 'litert_wasm_threaded_internal'].flatMap((name) => [
    `${name}.js`,
    `${name}.wasm`,
  ]),
];

/** The folder of an installed package; undefined if it is not there. */
function packageFolder(name: string): string | undefined {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    const found = join(folder, name);
    if (existsSync(join(found, 'package.json'))) return found;
  }
  return undefined;
}

function ortFiles(keys: readonly RuntimeKey[]): Map<string, PhoneFile> | string {
  const folder = packageFolder('onnxruntime-web');
  if (!folder)
    return 'onnxruntime-web is not installed on the computer that serves this page: npm install onnxruntime-web';
  const names = keys.flatMap((key) => ORT_FILES[key === 'ort-webnn' ? 'ort-webgpu' : key] ?? []);
  return new Map(names.map((name) => [`${FILES.ort}${name}`, { path: join(folder, 'dist', name) }]));
}

async function liteRtFiles(): Promise<Map<string, PhoneFile> | string> {
  const [core, helper] = [packageFolder('@litertjs/core'), packageFolder('@litertjs/wasm-utils')];
  if (!core || !helper)
    return '@litertjs/core is not installed on the computer that serves this page: npm install @litertjs/core';
  const text = await readFile(join(core, 'dist', 'index.js'), 'utf8');
  const { version } = JSON.parse(await readFile(join(core, 'package.json'), 'utf8')) as { version: string };
  return new Map<string, PhoneFile>([
    // Workers have no import maps: the one bare import becomes an address.
    [
      `${FILES.litert}index.js`,
      new TextEncoder().encode(text.replace(/(["'])@litertjs\/wasm-utils\1/, "'./wasm-utils.js'")),
    ],
    [`${FILES.litert}wasm-utils.js`, { path: join(helper, 'dist', 'index.js') }],
    [`${FILES.litert}version.json`, new TextEncoder().encode(JSON.stringify(version))],
    ...LITERT_WASM.map((name): [string, PhoneFile] => [
      `${FILES.litert}wasm/${name}`,
      { path: join(core, 'wasm', name) },
    ]),
  ]);
}

/** Gathers every file of the page for a model. What can't be served is told in `setup.json`. */
export async function phoneFiles(options: PhonePageOptions): Promise<PhoneFiles> {
  const { bench, runtimes, ...rest } = options;
  const files = new Map<string, PhoneFile>();
  const missing: Partial<Record<RuntimeKey, string>> = {};
  const wants = (prefix: string): RuntimeKey[] => runtimes.filter((key) => key.startsWith(prefix));
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const take = (keys: readonly RuntimeKey[], found: ReadonlyMap<string, PhoneFile> | string): void => {
    if (typeof found === 'string') for (const key of keys) missing[key] = found;
    else for (const [name, file] of found) files.set(name, file);
  };
  const attempt = async (keys: readonly RuntimeKey[], make: () => Promise<Map<string, PhoneFile> | string>) => {
    if (keys.length > 0) take(keys, await make().catch((error: unknown) => (error as Error).message));
  };
  const served = wants('ort-').filter((key) => key !== 'ort-node');
  await attempt(served, async () => {
    const found = ortFiles(served);
    return typeof found === 'string' ? found : new Map([...found, [FILES.onnx, await bench.onnx()]]);
  });
  await attempt(wants('litert'), async () => {
    const found = await liteRtFiles();
    return typeof found === 'string' ? found : new Map([...found, [FILES.tflite, await bench.tflite()]]);
  });
  for (const name of [FILES.page, FILES.worker, FILES.isolate]) {
    const path = join(DIST, 'phone', name);
    if (!existsSync(path))
      throw new UserError(`${path} is missing.`, 'The package is not whole: install it again, or run npm run build.');
    files.set(name, { path });
  }
  for (const name of ['relaxed.wasm', 'baseline.wasm'])
    files.set(`${FILES.kernels}${name}`, { path: join(DIST, 'kernels', name) });
  const setup: PhoneSetup = { ...rest, runtimes, form: bench.name, dims: bench.dims, missing };
  files.set(FILES.setup, text(JSON.stringify(setup)));
  files.set(FILES.graph, text(JSON.stringify(bench.graph)));
  files.set(FILES.weights, encodeSafetensors(bench.state));
  files.set('', text(phonePage({ hosted: options.post === undefined })));
  return files;
}

/** The bytes of a file. */
export async function fileBytes(file: PhoneFile): Promise<Uint8Array> {
  return file instanceof Uint8Array ? file : new Uint8Array(await readFile(file.path));
}
