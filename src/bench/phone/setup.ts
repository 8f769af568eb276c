/** What the page gets, and what its worker tells it. All addresses are relative to the page. */
import type { Dims } from '../../graph/bind.ts';
import type { Protocol } from '../protocol.ts';
import type { MeasuredModel, Session } from '../results/session.ts';
import type { RuntimeKey } from '../runtimes.ts';

/** `setup.json`. */
export interface PhoneSetup {
  readonly model: MeasuredModel;
  /** Name of the form. */
  readonly form: string;
  readonly dims: Dims;
  readonly protocol: Protocol;
  readonly runtimes: readonly RuntimeKey[];
  /** `auto`: as many as the browser tells, at most 8. */
  readonly threads: readonly (number | 'auto')[];
  /** Seconds that the fastest runtime is run afterwards; 0: not. */
  readonly soakSeconds: number;
  /** What can't be served, and why, by runtime. */
  readonly missing: Readonly<Partial<Record<RuntimeKey, string>>>;
  /** Where the result is posted; left out on a static host, which takes none: it is a file to download then. */
  readonly post?: string;
}

/** Where files lie, seen from the page. */
export const FILES = {
  setup: 'setup.json',
  graph: 'graph.json',
  weights: 'weights.safetensors',
  onnx: 'model.onnx',
  tflite: 'model.tflite',
  kernels: 'kernels/',
  ort: 'ort/',
  litert: 'litert/',
  page: 'page.js',
  worker: 'worker.js',
  isolate: 'isolate.js',
  result: 'result',
} as const;

/** Worker to page. */
export type PhoneMessage =
  | { readonly type: 'status'; readonly text: string }
  | { readonly type: 'progress'; readonly done: number; readonly total: number }
  | { readonly type: 'done'; readonly session: Session }
  | { readonly type: 'failed'; readonly message: string };
