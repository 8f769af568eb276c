/** The runtimes in Node: packages are loaded when they are asked for. */
import { UserError } from '../core/errors.ts';
import { loadState } from '../engine/engine.ts';
import { logitsOf, type Opened } from './measure.ts';
import type { BenchModel, LoadedRuntime, RuntimeTable } from './runtimes.ts';

const onlyInBrowsers = (what: string) => async (): Promise<LoadedRuntime> => {
  throw new UserError(
    `${what} is there in browsers only.`,
    'Measure it on a page: mobileone bench MODEL --phone, and open the link in a browser here or on a phone.',
  );
};

/** ONNX Runtime sessions; the web one can't change its number of threads in a process. */
async function onnxRuntime(runtime: 'node' | 'web', provider: 'cpu' | 'webgpu'): Promise<LoadedRuntime> {
  const { describeRuntime, openOnnx } = await import('../engine/onnx/session-node.ts');
  const where = runtime === 'web' ? 'wasm' : provider;
  return {
    runtime: await describeRuntime(runtime),
    settings: `${where}, sequential, all graph optimizations`,
    ...(provider === 'webgpu' ? { mostThreads: 1, why: 'the work is done on the graphics card' } : {}),
    prepare: (model) => model.onnx(),
    async open(model: BenchModel, threads: number): Promise<Opened> {
      const session = await openOnnx(await model.onnx(), { runtime, provider, threads });
      return { run: async () => logitsOf(await session.run(model.feeds)), dispose: () => session.dispose() };
    },
  };
}

/** The table for this process; `wide` is the switch of our engine. */
export function nodeRuntimes({ wide = 'auto' }: { readonly wide?: 'auto' | 'off' } = {}): RuntimeTable {
  return {
    async wasm() {
      const { nodeWasmEngine } = await import('../engine/wasm/node.ts');
      const engine = await nodeWasmEngine({ wide });
      const { description, tuning = '' } = engine.capabilities();
      return {
        runtime: description,
        settings: tuning,
        async open({ graph, state, dims, feeds }, threads) {
          const program = await engine.compile(graph, { dims, threads });
          loadState(program, state);
          return { run: async () => logitsOf(await program.run(feeds)), dispose: () => program.dispose() };
        },
      };
    },
    'ort-node': () => onnxRuntime('node', 'cpu'),
    'ort-web': () => onnxRuntime('web', 'cpu'),
    async 'ort-webgpu'() {
      const runtime = await onnxRuntime('node', 'webgpu');
      return {
        ...runtime,
        async open(model, threads) {
          try {
            return await runtime.open(model, threads);
          } catch (error) {
            throw new UserError(
              `ONNX Runtime can't use WebGPU here (${(error as Error).message.split('\n')[0]!.split(' was false. ').at(-1)}).`,
              'It needs a graphics driver with Vulkan, Metal or DirectX 12; or measure WebGPU in a browser: --phone.',
            );
          }
        },
      };
    },
    'ort-webnn': onlyInBrowsers('WebNN'),
    async litert() {
      const { openTflite, liteRtVersion } = await import('../engine/litert-node.ts');
      return {
        runtime: `LiteRT.js ${await liteRtVersion()}`,
        settings: 'wasm, XNNPACK',
        mostThreads: 1,
        why: 'LiteRT.js has one thread in Node; its page (--phone) uses more',
        prepare: (model) => model.tflite(),
        async open(model) {
          const session = await openTflite(await model.tflite());
          return {
            run: async () => logitsOf(await session.run(model.feeds)),
            dispose: async () => session.dispose(),
          };
        },
      };
    },
    'litert-webgpu': onlyInBrowsers('LiteRT.js on WebGPU'),
  };
}
