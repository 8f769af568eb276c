/** The engine's properties in a browser's worker: bundled to build/engine-page.js; posts what failed to /answer. */
import { webWasmEngine } from '../../../src/engine/wasm/web.ts';
import { ENGINE_PROPERTIES } from './properties.ts';

/** What /setup tells the page to run. */
export interface PageSetup {
  readonly builds: readonly ('baseline' | 'relaxed')[];
  readonly threads: readonly number[];
  /** Part of the random runs. */
  readonly share: number;
}

const { builds, threads, share } = (await (await fetch('/setup.json')).json()) as PageSetup;
const failures: string[] = [];
const descriptions: string[] = [];
let passed = 0;
for (const simd of builds) {
  for (const count of threads) {
    const engine = await webWasmEngine({ kernels: '/dist/kernels/', simd, threads: count });
    descriptions.push(`${engine.capabilities().description}; ${engine.capabilities().threads}`);
    for (const { name, check } of ENGINE_PROPERTIES) {
      try {
        await check(engine, engine.capabilities().threads, share);
        passed++;
      } catch (error) {
        failures.push(`${simd}, ${count} threads, ${name}: ${String(error)}`);
      }
    }
  }
}
await fetch('/answer', { method: 'POST', body: JSON.stringify({ passed, failures, descriptions }) });
