/** The wasm engine in a browser: kernels fetched from beside the page, one thread (run it in a worker of your own). */
import type { Engine } from '../engine.ts';
import { makeWasmEngine } from './engine.ts';
import type { KernelExports, Kernels } from './platform.ts';
import { type Candidate, fastest } from './tile.ts';

export interface WebWasmOptions {
  /** Folder of `relaxed.wasm` and `baseline.wasm` (the package's `dist/kernels/`), as a URL that ends in a slash. */
  readonly kernels: string | URL;
}

async function fetchModule(base: string | URL, build: 'relaxed' | 'baseline'): Promise<WebAssembly.Module> {
  const url = new URL(`${build}.wasm`, new URL(base, globalThis.location?.href));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the kernels could not be loaded: ${url} answered ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Relaxed SIMD where the browser validates it, else baseline SIMD. */
async function loadModule(base: string | URL): Promise<{ module: WebAssembly.Module; name: string }> {
  try {
    return { module: await fetchModule(base, 'relaxed'), name: 'relaxed SIMD (fused multiply-add)' };
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError)) throw error;
    return { module: await fetchModule(base, 'baseline'), name: 'SIMD' };
  }
}

/** Opens the wasm engine in a page or worker. */
export async function webWasmEngine({ kernels: base }: WebWasmOptions): Promise<Engine> {
  const { module, name } = await loadModule(base);
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
  const kernels: Kernels = {
    description: `${name}, 128 bit`,
    tuning: `${tile}×8 tile`,
    async start(memory) {
      const { run } = instantiate(memory);
      return { run: (list, count) => run(list, count, 0, 1), dispose: async () => {} };
    },
  };
  return makeWasmEngine(kernels, 1);
}
