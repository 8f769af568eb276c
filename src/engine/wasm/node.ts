/** The wasm engine in Node: kernels from disk, worker threads, and the fastest build that computes right on this machine. */
import { availableParallelism } from 'node:os';
import type { Engine } from '../engine.ts';
import { chooseKernels } from './choose-node.ts';
import type { SimdBuild } from './compile-node.ts';
import { makeWasmEngine } from './engine.ts';
import type { Kernels } from './platform.ts';

export type { SimdBuild } from './compile-node.ts';

export interface WasmOptions {
  /** Threads to run on; default: all cores, at most 8. */
  readonly threads?: number;
  /** Which build of the kernels; default: the fastest that passes its self-test. */
  readonly simd?: 'auto' | SimdBuild;
  /** `off`: never use 256-bit vectors (an experimental feature of V8, from Node 24 on). Default `auto`. */
  readonly wide?: 'auto' | 'off';
}

const MAX_DEFAULT_THREADS = 8;
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
  const { threads = Math.min(availableParallelism(), MAX_DEFAULT_THREADS) } = options;
  return makeWasmEngine(await nodeKernels(options), threads);
}
