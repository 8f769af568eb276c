/** LiteRT.js as an engine: a graph is written as TFLite when it first runs, images go in and come out as NHWC; without a test runner. */
import { sizeOf, type Tensor } from '../../../src/core/tensor.ts';
import type { Engine } from '../../../src/engine/engine.ts';
import { liteRtVersion, openTflite, type TfliteSession } from '../../../src/engine/litert-node.ts';
import { NODE_WRITERS } from '../../../src/engine/tflite/nodes.ts';
import { decodeTable } from '../../../src/engine/tflite/read-flatbuffer.ts';
import { MODEL_SCHEMA, OPERATORS } from '../../../src/engine/tflite/schema.ts';
import { toTflite } from '../../../src/engine/tflite/to-tflite.ts';
import { type GraphBuilder, graphBuilder } from '../../../src/graph/build.ts';
import type { OpKind } from '../../../src/graph/kinds.ts';
import { expectAgreement } from './agreement.ts';
import { lively, noise } from './models.ts';

/** Four axes in another order; other tensors stay. */
function turned({ shape, data }: Tensor, order: readonly number[]): Tensor {
  if (shape.length !== 4 || data instanceof Uint8Array) return { shape, data };
  const to = order.map((axis) => shape[axis]!);
  const steps = order.map((axis) => sizeOf(shape.slice(axis + 1)));
  const moved = new Float32Array(data.length);
  let at = 0;
  for (let a = 0; a < to[0]!; a++)
    for (let b = 0; b < to[1]!; b++)
      for (let c = 0; c < to[2]!; c++)
        for (let d = 0; d < to[3]!; d++)
          moved[at++] = data[a * steps[0]! + b * steps[1]! + c * steps[2]! + d * steps[3]!]!;
  return { shape: to, data: moved };
}

/** `[N, C, H, W]` → `[N, H, W, C]` */
export const toNhwc = (value: Tensor): Tensor => turned(value, [0, 2, 3, 1]);
const toNchw = (value: Tensor): Tensor => turned(value, [0, 3, 1, 2]);

const map = (values: Readonly<Record<string, Tensor>>, to: (value: Tensor) => Tensor): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value)]));

export async function liteRtEngine(precision: 'fp32' | 'fp16' = 'fp32'): Promise<Engine> {
  const description = `LiteRT.js ${await liteRtVersion()}`;
  return {
    name: 'litert',
    capabilities: () => ({ ops: new Set(Object.keys(NODE_WRITERS) as OpKind[]), description, threads: 1 }),
    async compile(graph, { dims }) {
      const state = new Map<string, Tensor>();
      let session: TfliteSession | undefined;
      return {
        async run(feeds) {
          session ??= await openTflite(await toTflite(graph, state, { dims, precision }));
          return map(await session.run(map(feeds, toNhwc)), toNchw);
        },
        read: (name) => state.get(name)!,
        write: (name, value) => void state.set(name, value),
        stateNames: Object.keys(graph.params),
        memory: { state: 0, activations: 0 },
        dispose: async () => session?.dispose(),
      };
    },
  };
}

/** Names of the operators of a file, in order. */
export function operatorNames(file: Uint8Array): string[] {
  const model = decodeTable(MODEL_SCHEMA, file) as unknown as {
    operator_codes: { builtin_code: number }[];
    subgraphs: { operators: { opcode_index?: number }[] }[];
  };
  const nameOf = (code: number): string => Object.entries(OPERATORS).find(([, one]) => one.code === code)![0];
  const names = model.operator_codes.map(({ builtin_code }) => nameOf(builtin_code));
  return model.subgraphs[0]!.operators.map(({ opcode_index }) => names[opcode_index ?? 0]!);
}

/** Outputs of a graph over one input. */
export type Build = (g: GraphBuilder, x: string) => Record<string, string>;

/** Checks a graph of one input on an engine, on numbers of which some are beyond the bounds of activations. */
export async function checkOn(engine: Engine, shape: readonly number[], build: Build): Promise<void> {
  const g = graphBuilder('case');
  const graph = g.build(build(g, g.input('input', ['N', ...shape.slice(1)])));
  const { data } = noise(shape, 9);
  const input = { shape, data: (data as Float32Array).map((value) => 4 * value) };
  const one = { graph, dims: { N: shape[0]! }, feeds: { input }, state: lively(graph, 3) };
  await expectAgreement([{ name: 'litert', engine, threads: 1 }], one);
}
