/** The engine's properties in a browser's worker: bundled to build/engine-page.js; posts what failed to /answer. */
import type { Engine } from '../../../src/engine/engine.ts';
import { webWasmEngine } from '../../../src/engine/wasm/web.ts';
import type { Setup } from './agreement.ts';
import { repConvModel, stepCase } from './models.ts';
import { ENGINE_PROPERTIES } from './properties.ts';

/** What /setup tells the page to run. */
export interface PageSetup {
  readonly builds: readonly ('baseline' | 'relaxed')[];
  readonly threads: readonly number[];
  /** Part of the random runs. */
  readonly share: number;
  /** How many of the properties; default all. */
  readonly properties?: number;
  /** What the kernel workers do instead of their share (`breaking`); then `failures` says how the runs ended. */
  readonly broken?: string;
}

const { builds, threads, share, properties, broken } = (await (await fetch('/setup.json')).json()) as PageSetup;
const failures: string[] = [];

/** Makes workers begin with a text. */
function prefixWorkers(prefix: string): void {
  const { Blob } = globalThis;
  globalThis.Blob = class extends Blob {
    constructor(parts: BlobPart[] = [], options?: BlobPropertyBag) {
      super([prefix, ...parts], options);
    }
  };
}

/** A run on workers that die; then one more, and the end of the program. */
async function runBroken(engine: Engine): Promise<void> {
  const { graph, dims, feeds } = stepCase(repConvModel(3, 8, 8, 1, 1, true), 4, { N: 2, H: 9, W: 9 }, 3, 1);
  const program = await engine.compile(graph, { dims });
  for (let i = 0; i < 2; i++) await program.run(feeds).catch((error) => failures.push(String(error)));
  await program.dispose();
}

if (broken) prefixWorkers(broken);
const descriptions: string[] = [];
const setups: Setup[] = [];
let passed = 0;
for (const simd of builds) {
  for (const count of threads) {
    const engine = await webWasmEngine({ kernels: '/dist/kernels/', simd, threads: count });
    descriptions.push(`${engine.capabilities().description}; ${engine.capabilities().threads}`);
    if (broken) await runBroken(engine);
    else setups.push({ name: `${simd}, ${count} threads`, engine, threads: engine.capabilities().threads });
  }
}
for (const { name, check } of broken ? [] : ENGINE_PROPERTIES.slice(0, properties)) {
  try {
    await check(setups, share);
    passed++;
  } catch (error) {
    failures.push(`${name}: ${String(error)}`);
  }
}
await fetch('/answer', { method: 'POST', body: JSON.stringify({ passed, failures, descriptions }) });
