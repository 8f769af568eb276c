/** Compiles a build of the kernels in Node, under the V8 flags it needs. Flags are set only while the code is compiled. */
import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';
import type { KernelExports } from './platform.ts';

/** Builds of the kernels: SIMD; with fused multiply-add; the same in a form that V8 can merge into 256 bits. */
export type SimdBuild = 'baseline' | 'relaxed' | 'wide';

export interface CompiledKernels {
  readonly build: SimdBuild;
  readonly module: WebAssembly.Module;
  instantiate(memory: WebAssembly.Memory): KernelExports;
}

/** The revectorizer is in V8 from 12 on, but spills registers before 13 (Node 24). */
export const HAS_REVECTORIZER: boolean = Number(process.versions.v8.split('.')[0]) >= 13;

/** `dist/kernels/` seen from a bundle in `dist/` (or beside it), and from this source file. */
const kernelsUrl = (build: SimdBuild): URL =>
  new URL(`${import.meta.url.endsWith('.ts') ? '../../..' : '..'}/dist/kernels/${build}.wasm`, import.meta.url);

/** Bytes of a build; undefined if this version of V8 does not know its instructions. */
async function readBuild(build: SimdBuild): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const bytes = new Uint8Array(await readFile(kernelsUrl(build)));
  if (WebAssembly.validate(bytes)) return bytes;
  // Node 20 has relaxed SIMD behind a flag; later versions have it without, and no longer know the flag.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  return WebAssembly.validate(bytes) ? bytes : undefined;
}

/** Compiles everything with the optimizing compiler at once, so that the first run is as fast as the hundredth. */
function compileModule(bytes: Uint8Array<ArrayBuffer>, wide: boolean): WebAssembly.Module {
  const flags = ['liftoff', 'wasm-lazy-compilation'];
  for (const flag of flags) setFlagsFromString(`--no-${flag}`);
  if (wide) setFlagsFromString('--experimental-wasm-revectorize');
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    if (wide) setFlagsFromString('--no-experimental-wasm-revectorize');
    for (const flag of flags) setFlagsFromString(`--${flag}`);
  }
}

/** Compiles one build; undefined where V8 can't run it. */
export async function compileKernels(build: SimdBuild): Promise<CompiledKernels | undefined> {
  const bytes = await readBuild(build);
  if (!bytes) return undefined;
  const module = compileModule(bytes, build === 'wide' && HAS_REVECTORIZER);
  return {
    build,
    module,
    instantiate: (memory) => new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports,
  };
}
