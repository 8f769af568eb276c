/** The sides of the comparisons, one table: what each can run, and how it is opened. */
import type { SideSpec } from '../spec.ts';
import type { BenchSubject } from '../subject.ts';

export interface Opened {
  readonly runtime: string;
  /** Planned memory in MB. */
  readonly planned?: number;
  /** Runs once; an inference returns its outputs. */
  run(): Promise<ArrayLike<number> | undefined>;
}

export interface Peer {
  readonly tasks: readonly SideSpec['task'][];
  /** WebAssembly: V8's flags matter, so it runs with and without those that we set. */
  readonly wasm: boolean;
  /** Largest thread count it uses in Node; undefined: any. */
  readonly maxThreads?: number;
  /** A script for Python (MOBILEONE_BENCH_PYTHON) instead of `open`. */
  readonly script?: string;
  /** Runs one training step so slowly that only small subjects make sense. */
  readonly small?: true;
  readonly open?: (spec: SideSpec, subject: BenchSubject) => Promise<Opened>;
}

export const PEERS: Readonly<Record<string, Peer>> = {
  ours: {
    tasks: ['train', 'infer'],
    wasm: true,
    open: async (spec, subject) => (await import('./ours.ts')).openOurs(spec, subject),
  },
  'onnxruntime-web': {
    tasks: ['infer'],
    wasm: true,
    open: async (spec, subject) => (await import('./ort.ts')).openOrt('web', spec, subject),
  },
  'onnxruntime-node': {
    tasks: ['infer'],
    wasm: false,
    open: async (spec, subject) => (await import('./ort.ts')).openOrt('node', spec, subject),
  },
  litert: {
    tasks: ['infer'],
    wasm: true,
    maxThreads: 1,
    open: async (_spec, subject) => (await import('./litert.ts')).openLiteRt(subject),
  },
  'tfjs-wasm': {
    tasks: ['infer'],
    wasm: true,
    maxThreads: 1,
    open: async (_spec, subject) => (await import('./tfjs.ts')).openTfjs(subject),
  },
  'jax-js': {
    tasks: ['train'],
    wasm: true,
    maxThreads: 1,
    small: true,
    open: async (spec, subject) => (await import('./jax.ts')).openJax(spec, subject),
  },
  pytorch: { tasks: ['train', 'infer'], wasm: false, script: 'bench/peers/torch_side.py' },
};
