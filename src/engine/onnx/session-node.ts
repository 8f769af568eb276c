/** ONNX Runtime sessions in Node: the native runtime (onnxruntime-node) or the WebAssembly one (onnxruntime-web). */
import type { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import { UserError } from '../../core/errors.ts';
import { type DType, dtypeOf, type Tensor } from '../../core/tensor.ts';

/** `node` is the native runtime, `web` the one that browsers get (WebAssembly). */
export type OrtRuntime = 'node' | 'web';

export interface SessionOptions {
  readonly runtime?: OrtRuntime;
  /** Threads to run on; default 1. The web runtime takes its first session's number for the whole process. */
  readonly threads?: number;
  /** What computes: the processor (default), or WebGPU where onnxruntime-node finds an adapter. */
  readonly provider?: 'cpu' | 'webgpu';
}

/** What an ONNX model says of an input or output. */
export interface OnnxValue {
  readonly name: string;
  readonly dtype: string;
  /** Numbers where a dimension is fixed. */
  readonly shape: readonly (number | string)[];
}

/** An ONNX model that is ready to run. */
export interface OnnxSession {
  /** E.g. `onnxruntime-node 1.30.0`. */
  readonly description: string;
  readonly inputs: readonly string[];
  /** The inputs and outputs that are tensors, with what is known of them. */
  readonly inputTypes: readonly OnnxValue[];
  readonly outputTypes: readonly OnnxValue[];
  readonly outputs: readonly string[];
  /** Runs once: inputs by name to outputs by name. Results are copies. */
  run(feeds: Readonly<Record<string, Tensor>>): Promise<Record<string, Tensor>>;
  dispose(): Promise<void>;
}

type Ort = typeof import('onnxruntime-node');

/** The web runtime's threads, fixed by its first session. */
let webThreads: number | undefined;

const PACKAGES: Readonly<Record<OrtRuntime, string>> = { node: 'onnxruntime-node', web: 'onnxruntime-web' };

async function loadRuntime(runtime: OrtRuntime): Promise<Ort> {
  try {
    return runtime === 'node'
      ? await import('onnxruntime-node')
      : ((await import('onnxruntime-web')) as unknown as Ort);
  } catch {
    const name = PACKAGES[runtime];
    throw new UserError(
      `This needs ONNX Runtime, and the package ${name} is not installed (or not for this machine).`,
      `Install it: npm install ${name}`,
    );
  }
}

/** Whether a runtime is installed and loads. */
export async function hasRuntime(runtime: OrtRuntime): Promise<boolean> {
  return await loadRuntime(runtime).then(
    () => true,
    () => false,
  );
}

/** Name and version of an installed runtime. */
export async function describeRuntime(runtime: OrtRuntime): Promise<string> {
  const { env } = await loadRuntime(runtime);
  return `${PACKAGES[runtime]} ${env.versions[runtime] ?? env.versions.common}`;
}

const DTYPES: Readonly<Partial<Record<string, DType>>> = { float32: 'float32', uint8: 'uint8', int32: 'int32' };

/** Opens an ONNX model, given as bytes or as a path. Throws a UserError for a missing runtime or an unreadable model. */
export async function openOnnx(model: Uint8Array | string, options: SessionOptions = {}): Promise<OnnxSession> {
  const { runtime = 'node', threads = 1, provider = 'cpu' } = options;
  const ort = await loadRuntime(runtime);
  if (runtime === 'web') {
    webThreads ??= threads;
    if (webThreads !== threads) {
      throw new UserError(
        `onnxruntime-web already runs on ${webThreads} thread(s) in this process; it can't change to ${threads}.`,
        'Measure the other number in a process of its own.',
      );
    }
    ort.env.wasm.numThreads = threads;
  }
  const session = await create(ort, model, {
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    graphOptimizationLevel: 'all',
    executionMode: 'sequential',
    logSeverityLevel: 3,
    executionProviders: [runtime === 'web' ? 'wasm' : provider],
  });
  return {
    description: await describeRuntime(runtime),
    inputs: session.inputNames,
    inputTypes: valuesOf(session.inputMetadata),
    outputTypes: valuesOf(session.outputMetadata),
    outputs: session.outputNames,
    async run(feeds) {
      const inputs = Object.entries(feeds).map(([name, value]) => [name, toOrt(ort, value)] as const);
      const results = await session.run(Object.fromEntries(inputs));
      return Object.fromEntries(Object.entries(results).map(([name, value]) => [name, fromOrt(name, value)]));
    },
    dispose: () => session.release(),
  };
}

const valuesOf = (metadata: readonly InferenceSession.ValueMetadata[]): OnnxValue[] =>
  metadata.flatMap((value) => (value.isTensor ? [{ name: value.name, dtype: value.type, shape: value.shape }] : []));

async function create(
  ort: Ort,
  model: Uint8Array | string,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  try {
    return typeof model === 'string'
      ? await ort.InferenceSession.create(model, options)
      : await ort.InferenceSession.create(model, options);
  } catch (error) {
    const what = typeof model === 'string' ? model : 'The ONNX model';
    throw new UserError(
      `${what} can't be opened by ONNX Runtime: ${(error as Error).message.split('\n')[0]}`,
      'Check that the file is a complete ONNX model; export it again if it was cut off.',
    );
  }
}

function toOrt(ort: Ort, value: Tensor): OrtTensor {
  const { shape } = value;
  const narrow = value.data instanceof Float64Array ? Float32Array.from(value.data) : value.data;
  // The native runtime refuses shared memory, in which loader threads fill batches.
  const data = narrow.buffer instanceof ArrayBuffer ? narrow : narrow.slice();
  return new ort.Tensor(dtypeOf({ shape, data }) as 'float32', data as Float32Array, shape);
}

function fromOrt(name: string, { type, data, dims }: OrtTensor): Tensor {
  if (!DTYPES[type]) throw new TypeError(`output "${name}" is ${type}, which is not supported`);
  return { shape: dims, data: data as Tensor['data'] };
}
