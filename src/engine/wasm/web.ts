/** The wasm engine in a browser, for training and inference: kernels fetched from beside the page, threads as workers. */

import { OPS } from '../../graph/ops.ts';
import type { Engine, Threads } from '../engine.ts';
import { RULES } from './lower/rules.ts';
import { openWebEngine, type WebBuild } from './open-web.ts';

export interface WebWasmOptions {
  /** Folder of `relaxed.wasm` and `baseline.wasm` (the package's `dist/kernels/`), as a URL that ends in a slash. */
  readonly kernels: string | URL;
  /**
   * Threads to run on; default `auto`: as many as the browser tells, at most 8. More than one needs a cross-origin isolated page;
   * otherwise it runs on one, and its description says why.
   */
  readonly threads?: Threads;
  /** Which build of the kernels; default: relaxed SIMD where the browser validates it. */
  readonly simd?: 'auto' | WebBuild;
}

async function fetchKernels(base: string | URL, build: WebBuild): Promise<ArrayBuffer> {
  const url = new URL(`${build}.wasm`, new URL(base, globalThis.location?.href));
  const response = await fetch(url);
  if (!response.ok) throw new Error(`the kernels could not be loaded: ${url} answered ${response.status}`);
  return await response.arrayBuffer();
}

/** Opens the wasm engine in a page or worker. In a cross-origin isolated page it computes in workers, and the page stays free. */
export async function webWasmEngine({ kernels, ...options }: WebWasmOptions): Promise<Engine> {
  return await openWebEngine({ ops: OPS, rules: RULES, read: (build) => fetchKernels(kernels, build) }, options);
}
