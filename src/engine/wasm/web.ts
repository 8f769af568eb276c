/** The wasm engine in a browser: kernels fetched from beside the page, threads as workers (open it in a worker of your own). */
import { type Engine, type Threads, threadsOf } from '../engine.ts';
import { makeWasmEngine } from './engine.ts';
import type { KernelExports, Kernels } from './platform.ts';
import { obstacleToThreads, startWebThreads } from './threads-web.ts';
import { type Candidate, fastest } from './tile.ts';

export interface WebWasmOptions {
  /** Folder of `relaxed.wasm` and `baseline.wasm` (the package's `dist/kernels/`), as a URL that ends in a slash. */
  readonly kernels: string | URL;
  /**
   * Threads to run on; default `auto`: as many as the browser tells, at most 8. More than one needs a cross-origin isolated page and
   * the engine opened in a worker; otherwise it runs on one, and its description says why.
   */
  readonly threads?: Threads;
  /** Which build of the kernels; default: relaxed SIMD where the browser validates it. */
  readonly simd?: 'auto' | 'baseline' | 'relaxed';
}

const MAX_AUTO_THREADS = 8;

async function fetchModule(base: string | URL, build: 'relaxed' | 'baseline'): Promise<WebAssembly.Module> {
  const url = new URL(`${build}.wasm`, new URL(base, globalThis.location?.href));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the kernels could not be loaded: ${url} answered ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Relaxed SIMD where the browser validates it, else baseline SIMD. */
async function loadModule(
  base: string | URL,
  simd: 'auto' | 'baseline' | 'relaxed',
): Promise<{ module: WebAssembly.Module; name: string }> {
  if (simd === 'baseline') return { module: await fetchModule(base, 'baseline'), name: 'SIMD' };
  try {
    return { module: await fetchModule(base, 'relaxed'), name: 'relaxed SIMD (fused multiply-add)' };
  } catch (error) {
    if (simd === 'relaxed' || !(error instanceof WebAssembly.CompileError)) throw error;
    return { module: await fetchModule(base, 'baseline'), name: 'SIMD' };
  }
}

/** Opens the wasm engine in a page or worker. */
export async function webWasmEngine({
  kernels: base,
  threads = 'auto',
  simd = 'auto',
}: WebWasmOptions): Promise<Engine> {
  const { module, name } = await loadModule(base, simd);
  const candidates = [6, 4].map(
    (tile): Candidate<WebAssembly.Module> => ({
      kernels: module,
      tile,
      instantiate: (memory) => {
        const exports = new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as KernelExports;
        exports.setTile(tile);
        return exports;
      },
    }),
  );
  const { tile, instantiate } = fastest(candidates);
  const wanted = threadsOf(threads, Math.min(globalThis.navigator?.hardwareConcurrency ?? 1, MAX_AUTO_THREADS));
  const obstacle = await obstacleToThreads();
  const kernels: Kernels = {
    description: `${name}, 128 bit${obstacle && wanted > 1 ? `, 1 thread: ${obstacle}` : ''}`,
    tuning: `${tile}×8 tile`,
    ...(obstacle ? { obstacle } : {}),
    start: (memory, members) => startWebThreads({ module, memory, threads: members, tile, instantiate }),
  };
  return makeWasmEngine(kernels, obstacle ? 1 : wanted);
}
