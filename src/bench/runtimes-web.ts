/** The runtimes in a browser's worker: their files lie beside the page. */
import { UserError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { loadState } from '../engine/engine.ts';
import { webWasmEngine } from '../engine/wasm/web.ts';
import { wasmFeatures } from './device.ts';
import { logitsOf, type Opened } from './measure.ts';
import type { BenchModel, LoadedRuntime, RuntimeKey, RuntimeTable } from './runtimes.ts';

type Ort = typeof import('onnxruntime-web');
type LiteRt = typeof import('@litertjs/core');

interface Adapters {
  readonly gpu?: { requestAdapter(): Promise<object | null> };
  readonly ml?: { createContext(options: { deviceType: string }): Promise<object> };
}

const SECURE = 'Open the page by https, or at localhost.';
const NOT_ISOLATED = 'the page is not cross-origin isolated, so there is one thread';

/** Most threads that WebAssembly can have here. */
const manyThreads = (): { mostThreads?: number; why?: string } =>
  globalThis.crossOriginIsolated ? {} : { mostThreads: 1, why: NOT_ISOLATED };

async function needGpu(): Promise<void> {
  const { gpu } = navigator as unknown as Adapters;
  if (!globalThis.isSecureContext) throw new UserError('WebGPU needs a secure page.', SECURE);
  if (!gpu) throw new UserError('This browser has no WebGPU.', '');
  if (!(await gpu.requestAdapter().catch(() => null)))
    throw new UserError('This browser finds no graphics adapter for WebGPU.', '');
}

/** The first kind of device that WebNN opens. */
async function webnnDevice(): Promise<string> {
  const { ml } = navigator as unknown as Adapters;
  if (!globalThis.isSecureContext) throw new UserError('WebNN needs a secure page.', SECURE);
  if (!ml) throw new UserError('This browser has no WebNN.', '');
  for (const deviceType of ['npu', 'gpu', 'cpu']) {
    const opened = await ml.createContext({ deviceType }).then(
      () => true,
      () => false,
    );
    if (opened) return deviceType;
  }
  throw new UserError('This browser has WebNN, but opens no device for it.', '');
}

/** Feeds as ONNX Runtime takes them. */
function toOrt(ort: Ort, feeds: Readonly<Record<string, Tensor>>): Record<string, import('onnxruntime-web').Tensor> {
  const tensor = ({ data, shape }: Tensor) =>
    data instanceof Uint8Array
      ? new ort.Tensor('uint8', data, [...shape])
      : new ort.Tensor('float32', Float32Array.from(data), [...shape]);
  return Object.fromEntries(Object.entries(feeds).map(([name, value]) => [name, tensor(value)]));
}

interface OrtChoice {
  readonly file: string;
  readonly provider: string | { readonly name: string; readonly deviceType: string };
  readonly settings: string;
}

async function onnxRuntime(base: URL, { file, provider, settings }: OrtChoice): Promise<LoadedRuntime> {
  const folder = new URL('ort/', base).href;
  // Each number of threads needs an instance of its own: the first session fixes it.
  const load = (threads: number): Promise<Ort> => import(`${folder}${file}?threads=${threads}`) as Promise<Ort>;
  const { env } = await load(1);
  return {
    runtime: `onnxruntime-web ${env.versions.web ?? env.versions.common}`,
    settings: `${settings}, all graph optimizations`,
    prepare: (model) => model.onnx(),
    async open(model: BenchModel, threads: number): Promise<Opened> {
      const ort = await load(threads);
      ort.env.wasm.wasmPaths = folder;
      ort.env.wasm.numThreads = threads;
      ort.env.logLevel = 'error';
      const session = await ort.InferenceSession.create(await model.onnx(), {
        executionProviders: [provider as 'wasm'],
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      });
      const feeds = toOrt(ort, model.feeds);
      return {
        async run() {
          const results = await session.run(feeds);
          return (results.logits ?? Object.values(results)[0])?.data as Float32Array | undefined;
        },
        dispose: () => session.release(),
      };
    },
  };
}

/** LiteRT.js can be loaded once in a worker; WebGPU and WebAssembly share it. */
let liteRtLoaded: Promise<LiteRt> | undefined;

async function loadLiteRt(folder: string): Promise<LiteRt> {
  const litert = (await import(`${folder}index.js`)) as LiteRt;
  const threads = globalThis.crossOriginIsolated === true && wasmFeatures().includes('relaxed-simd');
  // It would look for its files beside this worker's script, and start its threads from that.
  Object.assign(globalThis, {
    Module: {
      locateFile: (name: string) => `${folder}wasm/${name}`,
      ...(threads ? { mainScriptUrlOrBlob: `${folder}wasm/litert_wasm_threaded_internal.js` } : {}),
    },
  });
  await litert.loadLiteRt(`${folder}wasm/`, { threads });
  return litert;
}

async function liteRt(base: URL, accelerator: 'wasm' | 'webgpu'): Promise<LoadedRuntime> {
  const folder = new URL('litert/', base).href;
  liteRtLoaded ??= loadLiteRt(folder);
  const litert = await liteRtLoaded;
  const version = (await (await fetch(`${folder}version.json`)).json()) as string;
  return {
    runtime: `LiteRT.js ${version}`,
    settings: accelerator === 'wasm' ? 'wasm, XNNPACK' : 'webgpu',
    prepare: (model) => model.tflite(),
    async open(model, count) {
      const compiled = await litert.loadAndCompile(await model.tflite(), {
        accelerator,
        ...(accelerator === 'wasm' ? { cpuOptions: { numThreads: count } } : {}),
      });
      return {
        async run() {
          const inputs = Object.fromEntries(
            Object.entries(model.feeds).map(([name, { data, shape }]) => [
              name,
              new litert.Tensor(data instanceof Uint8Array ? Uint8Array.from(data) : Float32Array.from(data), [
                ...shape,
              ]),
            ]),
          );
          const outputs = await compiled.run(inputs);
          const logits = outputs.logits ?? Object.values(outputs)[0];
          const values = Float32Array.from((await logits!.data()) as Float32Array);
          for (const tensor of [...Object.values(inputs), ...Object.values(outputs)]) tensor.delete();
          return values;
        },
        dispose: async () => compiled.delete(),
      };
    },
  };
}

/** The table for a worker; `base` is the page's address, `missing` what its server does not have. */
export function webRuntimes(base: URL, missing: Readonly<Partial<Record<RuntimeKey, string>>> = {}): RuntimeTable {
  const table: RuntimeTable = {
    async wasm() {
      const engine = await webWasmEngine({ kernels: new URL('kernels/', base) });
      const { description, tuning = '' } = engine.capabilities();
      return {
        runtime: description,
        settings: tuning,
        ...manyThreads(),
        async open({ graph, state, dims, feeds }, threads) {
          const program = await engine.compile(graph, { dims, threads });
          loadState(program, state);
          return { run: async () => logitsOf(await program.run(feeds)), dispose: () => program.dispose() };
        },
      };
    },
    'ort-node': async () => {
      throw new UserError('The native ONNX Runtime is not there in browsers.', '');
    },
    'ort-web': async () => ({
      ...(await onnxRuntime(base, { file: 'ort.wasm.min.mjs', provider: 'wasm', settings: 'wasm' })),
      ...manyThreads(),
    }),
    async 'ort-webgpu'() {
      await needGpu();
      return await onnxRuntime(base, { file: 'ort.webgpu.min.mjs', provider: 'webgpu', settings: 'webgpu' });
    },
    async 'ort-webnn'() {
      const deviceType = await webnnDevice();
      const provider = { name: 'webnn', deviceType };
      return await onnxRuntime(base, { file: 'ort.webgpu.min.mjs', provider, settings: `webnn, ${deviceType}` });
    },
    litert: async () => ({ ...(await liteRt(base, 'wasm')), ...manyThreads() }),
    async 'litert-webgpu'() {
      await needGpu();
      return await liteRt(base, 'webgpu');
    },
  };
  const entries = Object.entries(table).map(([key, load]) => {
    const why = missing[key as RuntimeKey];
    const refuse = async (): Promise<LoadedRuntime> => {
      throw new UserError(why!, '');
    };
    return [key, why === undefined ? load : refuse] as const;
  });
  return Object.fromEntries(entries) as RuntimeTable;
}
