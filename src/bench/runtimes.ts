/** The runtimes that latency can be measured in: one table of names, the same in Node and in browsers. */
import { closestMatch, UserError } from '../core/errors.ts';
import type { StateDict, Tensor } from '../core/tensor.ts';
import type { Dims } from '../graph/bind.ts';
import type { Graph } from '../graph/graph.ts';
import type { Opened, Subject } from './measure.ts';

/** What each is, in words. */
export const RUNTIMES = {
  wasm: 'mobileone, WebAssembly SIMD',
  'ort-node': 'ONNX Runtime, native',
  'ort-web': 'ONNX Runtime Web, WebAssembly',
  'ort-webgpu': 'ONNX Runtime, WebGPU',
  'ort-webnn': 'ONNX Runtime Web, WebNN',
  litert: 'LiteRT.js, WebAssembly (XNNPACK)',
  'litert-webgpu': 'LiteRT.js, WebGPU',
} as const;

export type RuntimeKey = keyof typeof RUNTIMES;

export const RUNTIME_KEYS = Object.keys(RUNTIMES) as readonly RuntimeKey[];

/** Measured where nothing is asked for: what needs no graphics adapter. */
export const USUAL_RUNTIMES: readonly RuntimeKey[] = ['wasm', 'ort-node', 'ort-web', 'litert'];

/** A model in the forms that runtimes take; files are made when they are first asked for. */
export interface BenchModel {
  /** Its form: `fused`, or `train form, branches`. */
  readonly name: string;
  readonly graph: Graph;
  readonly state: StateDict;
  readonly dims: Dims;
  readonly feeds: Readonly<Record<string, Tensor>>;
  onnx(): Promise<Uint8Array>;
  tflite(): Promise<Uint8Array>;
}

/** A runtime that is loaded. */
export interface LoadedRuntime {
  /** With its version, e.g. `onnxruntime-node 1.30.0`. */
  readonly runtime: string;
  readonly settings: string;
  /** Most threads it can use here; undefined: any. */
  readonly mostThreads?: number;
  /** Why it can have no other number of threads than `mostThreads`. */
  readonly why?: string;
  /** What opening needs that is not part of the cold start: writing or fetching the model's file. */
  prepare?(model: BenchModel): Promise<unknown>;
  open(model: BenchModel, threads: number): Promise<Opened>;
}

/** Loads runtimes; each throws a UserError that says why it is not here and what to do. */
export type RuntimeTable = Readonly<Record<RuntimeKey, () => Promise<LoadedRuntime>>>;

/** Reads a list like `wasm,ort-node`; throws a UserError for an unknown name. */
export function parseRuntimes(text: string): RuntimeKey[] {
  return [...new Set(text.split(',').map((name) => name.trim().toLowerCase()))].map((name) => runtimeKey(name));
}

/** The runtime of a name; throws a UserError with the nearest one for an unknown name. */
export function runtimeKey(name: string): RuntimeKey {
  if (Object.hasOwn(RUNTIMES, name)) return name as RuntimeKey;
  const near = closestMatch(name, RUNTIME_KEYS);
  throw new UserError(
    `There is no runtime "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose from ${RUNTIME_KEYS.join(', ')}.`,
    2,
  );
}

/** What is to be measured. */
export interface Wanted {
  readonly key: RuntimeKey;
  readonly threads: number;
  readonly model: BenchModel;
}

export interface FoundSubjects {
  readonly subjects: Subject[];
  /** What was left out, why, and what to do. */
  readonly notes: string[];
}

/** Why something is not measured, in a line: an error may be pages long. */
export function refusalText(what: string, error: unknown): string {
  const { message, hint = '' } = error as Error & { hint?: string };
  return `${what} is not measured: ${message.split('\n')[0]!.slice(0, 250)} ${hint}`.trim();
}

/** Loads the runtimes of a list, each timed and once, and makes subjects of those that are here. */
export async function findSubjects(
  table: RuntimeTable,
  wanted: readonly Wanted[],
  clock: () => number = () => performance.now(),
): Promise<FoundSubjects> {
  const notes: string[] = [];
  const loaded = new Map<RuntimeKey, { here: LoadedRuntime; load: number } | undefined>();
  const subjects: Subject[] = [];
  const note = (text: string): void => {
    if (!notes.includes(text)) notes.push(text);
  };
  for (const { key, threads, model } of wanted) {
    if (!loaded.has(key)) {
      const began = clock();
      try {
        const here = await table[key]();
        loaded.set(key, { here, load: clock() - began });
      } catch (error) {
        loaded.set(key, undefined);
        note(refusalText(key, error));
      }
    }
    const found = loaded.get(key);
    if (!found) continue;
    const { here, load } = found;
    const { runtime, settings, mostThreads = threads, why = '' } = here;
    if (threads > mostThreads) {
      note(`${key} is not measured with ${threads} threads: ${why}.`);
      continue;
    }
    const refused = await here.prepare?.(model).then(
      () => undefined,
      (error: unknown) => (error as Error).message,
    );
    if (refused !== undefined) {
      note(`${key} is not measured (${model.name}): ${refused}.`);
      continue;
    }
    subjects.push({
      ...{ name: model.name, key, runtime, settings, threads, load },
      open: () => here.open(model, threads),
    });
  }
  return { subjects, notes };
}
