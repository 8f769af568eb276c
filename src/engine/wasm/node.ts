/** The wasm engine in Node: kernels from disk, worker threads, relaxed SIMD where the machine has it. */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import type { Engine } from '../engine.ts';
import { makeWasmEngine } from './engine.ts';
import type { KernelExports, Kernels } from './platform.ts';
import { startThreads } from './threads-node.ts';
import { fasterTile } from './tile.ts';

export type SimdBuild = 'baseline' | 'relaxed';

export interface WasmOptions {
  /** Threads to run on; default: all cores, at most 8. */
  readonly threads?: number;
  /** Which build of the kernels; default: relaxed SIMD where it validates. */
  readonly simd?: 'auto' | SimdBuild;
}

const MAX_DEFAULT_THREADS = 8;
/** `dist/kernels/` seen from a bundle in `dist/` (or beside it), and from this source file. */
const kernelsUrl = (build: SimdBuild): URL =>
  new URL(`${import.meta.url.endsWith('.ts') ? '../../..' : '..'}/dist/kernels/${build}.wasm`, import.meta.url);

/** Compiles with the optimizing compiler at once, so that the first run is as fast as the hundredth. */
function compileModule(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  setFlagsFromString('--no-liftoff');
  try {
    return new WebAssembly.Module(bytes);
  } finally {
    setFlagsFromString('--liftoff');
  }
}

async function chooseModule(simd: 'auto' | SimdBuild): Promise<{ module: WebAssembly.Module; build: SimdBuild }> {
  if (simd !== 'baseline') {
    const bytes = await readFile(kernelsUrl('relaxed'));
    // Node 20 has relaxed SIMD behind a flag; later versions have it without, and no longer know the flag.
    if (!WebAssembly.validate(bytes)) setFlagsFromString('--experimental-wasm-relaxed-simd');
    if (simd === 'relaxed' || WebAssembly.validate(bytes)) return { module: compileModule(bytes), build: 'relaxed' };
  }
  return { module: compileModule(await readFile(kernelsUrl('baseline'))), build: 'baseline' };
}

const loaded = new Map<string, Promise<Kernels>>();

/** Loads the kernels once a process and build. */
function loadKernels(simd: 'auto' | SimdBuild): Promise<Kernels> {
  let kernels = loaded.get(simd);
  if (!kernels) {
    kernels = makeKernels(simd);
    loaded.set(simd, kernels);
  }
  return kernels;
}

async function makeKernels(simd: 'auto' | SimdBuild): Promise<Kernels> {
  const { module, build } = await chooseModule(simd);
  const instantiate = (memory: WebAssembly.Memory): KernelExports =>
    new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
  const tile = fasterTile(instantiate);
  return {
    description: `${build === 'relaxed' ? 'relaxed SIMD (fused multiply-add)' : 'SIMD'}, 128 bit`,
    tuning: `${tile}×8 tile`,
    start: (memory, threads) => startThreads({ module, memory, threads, tile, instantiate }),
  };
}

/** Opens the wasm engine on this machine. */
export async function nodeWasmEngine(options: WasmOptions = {}): Promise<Engine> {
  const { threads = Math.min(availableParallelism(), MAX_DEFAULT_THREADS), simd = 'auto' } = options;
  return makeWasmEngine(await loadKernels(simd), threads);
}
