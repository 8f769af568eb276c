/** Every build of the kernels on one and two threads, in Node. */
import { nodeWasmEngine, type SimdBuild } from '../../../src/engine/wasm/node.ts';
import type { Setup } from './agreement.ts';

const BUILDS: readonly SimdBuild[] = ['baseline', 'relaxed', 'wide'];

export async function everySetup(): Promise<Setup[]> {
  const setups: Setup[] = [];
  for (const simd of BUILDS) {
    const engine = await nodeWasmEngine({ simd });
    for (const threads of [1, 2]) setups.push({ name: `${simd} build, ${threads} threads`, engine, threads });
  }
  return setups;
}
