/** The wasm engine in Node: kernels from disk, worker threads, and the fastest build that computes right on this machine. */
import { type Engine, type Threads, threadsOf } from '../engine.ts';
import { autoThreads } from './auto-threads-node.ts';
import { chooseKernels } from './choose-node.ts';
import type { SimdBuild } from './compile-node.ts';
import { makeWasmEngine } from './engine.ts';
import type { Kernels } from './platform.ts';

export type { SimdBuild } from './compile-node.ts';

export interface WasmOptions {
  /** Threads to run on; default `auto`: as many as the process may use cores, at most 8. */
  readonly threads?: Threads;
  /** Which build of the kernels; default: the fastest that passes its self-test. */
  readonly simd?: 'auto' | SimdBuild;
  /** `off`: never use 256-bit vectors (an experimental feature of V8, from Node 24 on). Default `auto`. */
  readonly wide?: 'auto' | 'off';
}

const loaded = new Map<string, Promise<Kernels>>();

/** The kernels of this process, loaded once for each choice. */
export function nodeKernels({ simd = 'auto', wide = 'auto' }: WasmOptions = {}): Promise<Kernels> {
  const key = `${simd} ${wide}`;
  const kernels = loaded.get(key) ?? chooseKernels(simd, wide);
  loaded.set(key, kernels);
  return kernels;
}

/** Opens the wasm engine on this machine. */
export async function nodeWasmEngine(options: WasmOptions = {}): Promise<Engine> {
  const threads = threadsOf(options.threads, autoThreads());
  return makeWasmEngine(await nodeKernels(options), threads);
}
