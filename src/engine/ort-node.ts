/** The engine `ort`: inference graphs in ONNX Runtime, for measuring, checking exports and teachers. */
import { sizeOf, type Tensor } from '../core/tensor.ts';
import { bind, type Dims } from '../graph/bind.ts';
import type { Graph } from '../graph/graph.ts';
import type { OpKind } from '../graph/kinds.ts';
import { type Engine, firstOf, type Program, type Threads, threadsOf, unsupportedNodes } from './engine.ts';
import { NODE_WRITERS } from './onnx/nodes.ts';
import { describeRuntime, type OnnxSession, type OrtRuntime, openOnnx } from './onnx/session-node.ts';
import { toOnnx } from './onnx/to-onnx.ts';

export { hasRuntime, type OnnxSession, type OrtRuntime, openOnnx } from './onnx/session-node.ts';

export interface OrtOptions {
  /** `node` (native, default) or `web` (WebAssembly, as in browsers). */
  readonly runtime?: OrtRuntime;
  /** Threads used by default; `auto` (the default): 1. */
  readonly threads?: Threads;
}

/** Opens ONNX Runtime as an engine. Throws a UserError when the package is missing. */
export async function ortEngine(options: OrtOptions = {}): Promise<Engine> {
  const { runtime = 'node' } = options;
  const defaultThreads = threadsOf(options.threads, 1);
  const description = await describeRuntime(runtime);
  const engine: Engine = {
    name: runtime === 'node' ? 'ort' : 'ort-web',
    capabilities: () => ({
      ops: new Set<OpKind>([...(Object.keys(NODE_WRITERS) as OpKind[]), 'RepConv']),
      description,
      threads: defaultThreads,
    }),
    async compile(graph, options) {
      const trained = graph.nodes.filter(({ kind, attrs }) => kind === 'RepConv' && attrs.training);
      const missing = [...unsupportedNodes(engine, graph), ...trained.map(({ name }) => `${name} (RepConv, training)`)];
      if (missing.length) throw new TypeError(`ONNX Runtime can't run ${firstOf(missing)}`);
      return makeProgram(graph, options.dims, threadsOf(options.threads, defaultThreads), runtime);
    },
  };
  return engine;
}

/** A program whose session is made when it first runs, and again when the state has changed since. */
function makeProgram(graph: Graph, dims: Dims, threads: number, runtime: OrtRuntime): Program {
  const { shapes } = bind(graph, dims);
  const zero = ([name, { shape }]: [string, { shape: readonly number[] }]): [string, Tensor] => [
    name,
    { shape, data: new Float32Array(sizeOf(shape)) },
  ];
  const state = new Map<string, Tensor>(Object.entries(graph.params).map(zero));
  let session: OnnxSession | undefined;

  const known = (name: string): Tensor => {
    const value = state.get(name);
    if (!value) throw new TypeError(`the program has no state named "${name}"`);
    return value;
  };
  const close = async (): Promise<void> => {
    await session?.dispose();
    session = undefined;
  };
  let stale = true;
  const bytes = (names: Iterable<readonly number[]>): number =>
    [...names].reduce((sum, shape) => sum + 4 * sizeOf(shape), 0);
  return {
    async run(feeds) {
      if (stale) {
        await close();
        const model = await toOnnx(graph, state, { dims, dynamicBatch: false });
        session = await openOnnx(model, { runtime, threads });
        stale = false;
      }
      for (const { name } of graph.inputs) {
        const feed = feeds[name];
        const expected = shapes.get(name)!;
        if (!feed) throw new TypeError(`the input "${name}" is missing`);
        if (String(feed.shape) !== String(expected))
          throw new TypeError(`the input "${name}" has shape [${feed.shape}], expected [${expected}]`);
      }
      return await session!.run(feeds);
    },
    read(name) {
      const { shape, data } = known(name);
      return { shape, data: data.slice() };
    },
    write(name, value) {
      const { shape, data } = known(name);
      if (value.data.length !== data.length)
        throw new TypeError(`"${name}" has shape [${shape}], the value has [${value.shape}]`);
      state.set(name, { shape, data: Float32Array.from(value.data) });
      stale = true;
    },
    stateNames: [...state.keys()],
    // ONNX Runtime plans its own memory; this is the sum over all values, which it stays below.
    memory: { state: bytes([...state.values()].map(({ shape }) => shape)), activations: bytes(shapes.values()) },
    dispose: close,
  };
}
