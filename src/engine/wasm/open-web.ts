/** Opens the wasm engine in a browser: the build that it runs, the tile, the threads. */
import { UserError } from '../../core/errors.ts';
import type { OpTable } from '../../graph/shape-rules.ts';
import { type Engine, type Threads, threadsOf } from '../engine.ts';
import { makeWasmEngine } from './engine.ts';
import type { Rules } from './lower/inference-rules.ts';
import type { KernelExports, Kernels } from './platform.ts';
import { obstacleToThreads, startWebThreads } from './threads-web.ts';
import { type Candidate, fastest } from './tile.ts';

/** Builds of the kernels for browsers: SIMD; with fused multiply-add. */
export type WebBuild = 'baseline' | 'relaxed';

export interface WebKernels {
  /** What they have instructions for. */
  readonly ops: OpTable;
  readonly rules: Rules;
  /** Bytes of a build. */
  read(build: WebBuild): Promise<BufferSource>;
}

const MAX_AUTO_THREADS = 8;

const FEATURES: Readonly<Record<WebBuild, string>> = {
  baseline: 'SIMD',
  relaxed: 'relaxed SIMD (fused multiply-add)',
};

/** A module of one function, () → v128, whose body is given. */
const probe = (...body: readonly number[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.of(
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0],
    ...[10, body.length + 4, 1, body.length + 2, 0, ...body, 0x0b],
  );
/** i32.const 0, i8x16.splat */
const VECTOR = [0x41, 0, 0xfd, 0x0f];
/** f32x4.relaxed_madd */
const RELAXED_MADD = [0xfd, 0x85, 0x02];

/** Whether this machine knows the instructions of a build. */
function knows(build: WebBuild): boolean {
  return WebAssembly.validate(
    build === 'baseline' ? probe(...VECTOR) : probe(...VECTOR, ...VECTOR, ...VECTOR, ...RELAXED_MADD),
  );
}

/** Opens the engine on the build that this browser runs fastest, or the one asked for. */
export async function openWebEngine(
  { ops, rules, read }: WebKernels,
  { threads = 'auto', simd = 'auto' }: { readonly threads?: Threads; readonly simd?: 'auto' | WebBuild },
): Promise<Engine> {
  if (!knows('baseline'))
    throw new UserError(
      'This browser has no WebAssembly SIMD, which the engine needs.',
      'Use a newer one: Chrome 91, Firefox 89, Safari 16.4 or later.',
    );
  const build = simd === 'auto' ? (knows('relaxed') ? 'relaxed' : 'baseline') : simd;
  const module = await WebAssembly.compile(await read(build));
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
  const fromOutside = 'document' in globalThis && !obstacle;
  const kernels: Kernels = {
    ops,
    rules,
    description: `${FEATURES[build]}, 128 bit${obstacle && wanted > 1 ? `, 1 thread: ${obstacle}` : ''}`,
    tuning: `${tile}×8 tile`,
    ...(obstacle ? { obstacle } : {}),
    start: (memory, members) => startWebThreads({ module, memory, threads: members, tile, instantiate, fromOutside }),
  };
  return makeWasmEngine(kernels, obstacle ? 1 : wanted);
}
