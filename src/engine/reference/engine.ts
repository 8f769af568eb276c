/**
 * The reference engine: float64, one obvious loop an op, RepConv branch by branch. It defines what every op means;
 * fast engines are tested against it.
 */
import { random } from '../../core/random.ts';
import { type Shape, sizeOf, type Tensor } from '../../core/tensor.ts';
import { bind } from '../../graph/bind.ts';
import { isLearnable, type NodeOf } from '../../graph/graph.ts';
import type { OpKind } from '../../graph/kinds.ts';
import { statePrefixes } from '../../graph/state.ts';
import type { Engine, Program } from '../engine.ts';
import { type Array64, zeros } from './array.ts';
import { RULES, type RunContext } from './rules.ts';

export interface ReferenceOptions {
  /**
   * Rounds what every node makes, and the state, to float32, while still computing in float64: the least error that an
   * engine with float32 storage can have. Tells how ill-conditioned a case is.
   */
  readonly storage?: 'float64' | 'float32';
  /**
   * With float32 storage: first moves every value by up to half a unit in the last place, drawn from this seed. Each
   * seed is one way in which arithmetic that is right to a unit may come out.
   */
  readonly dither?: number;
}

/** Opens the reference engine. */
export function createReferenceEngine(options: ReferenceOptions = {}): Engine {
  return {
    name: options.storage === 'float32' ? 'reference (float32 storage)' : 'reference',
    capabilities: () => ({
      ops: new Set(Object.keys(RULES) as OpKind[]),
      description: 'float64, one loop an op',
      threads: 1,
    }),
    compile: async (graph, { dims }) => compileReference(graph, dims, rounderOf(options)),
  };
}

function rounderOf({ storage, dither }: ReferenceOptions): (data: Float64Array) => void {
  if (storage !== 'float32') return () => {};
  const rng = dither === undefined ? undefined : random(dither);
  return (data) => {
    for (let i = 0; i < data.length; i++) {
      const moved = rng ? data[i]! * (1 + 2 ** -24 * (2 * rng.uniform() - 1)) : data[i]!;
      data[i] = Math.fround(moved);
    }
  };
}

function compileReference(
  graph: Parameters<typeof bind>[0],
  dims: Parameters<typeof bind>[1],
  round: (data: Float64Array) => void,
): Program {
  const { shapes } = bind(graph, dims);
  const state = new Map<string, Array64>();
  const prefixes = statePrefixes(graph);
  for (const [name, spec] of Object.entries(graph.params)) {
    state.set(name, zeros(spec.shape));
    if (isLearnable(spec)) for (const prefix of prefixes) state.set(`${prefix}:${name}`, zeros(spec.shape));
  }
  const lookUp = (name: string): Array64 => {
    const array = state.get(name);
    if (!array) throw new TypeError(`the program has no state named "${name}"`);
    return array;
  };
  const context: RunContext = { graph, state: lookUp };
  const gradients = new Map<string, Array64>();

  return {
    stateNames: [...state.keys()],
    memory: {
      state: 8 * [...state.values()].reduce((sum, { data }) => sum + data.length, 0),
      activations: 8 * [...shapes.values()].reduce((sum, shape) => sum + sizeOf(shape), 0),
    },
    async run(feeds) {
      const values = new Map<string, Array64>();
      for (const { name } of graph.inputs) values.set(name, feedArray(name, feeds[name], shapes.get(name)!));
      for (const name of Object.keys(feeds))
        if (!values.has(name)) throw new TypeError(`the graph has no input "${name}"`);
      for (const node of graph.nodes) {
        const results = evaluate(
          node as NodeOf<OpKind>,
          node.inputs.map((name) => values.get(name)!),
          context,
        );
        node.outputs.forEach((name, i) => {
          round(results[i]!.data);
          values.set(name, results[i]!);
          if (name.startsWith('grad:')) gradients.set(name, results[i]!);
        });
      }
      for (const { data } of state.values()) round(data);
      return Object.fromEntries(Object.entries(graph.outputs).map(([name, value]) => [name, copy(values.get(value)!)]));
    },
    read: (name) => copy(gradients.get(name) ?? lookUp(name)),
    write(name, value) {
      const array = lookUp(name);
      checkShape(`"${name}"`, value, array.shape);
      array.data.set(value.data);
    },
    async dispose() {},
  };
}

function evaluate<K extends OpKind>(node: NodeOf<K>, inputs: readonly Array64[], context: RunContext): Array64[] {
  return (RULES[node.kind] as (node: NodeOf<K>, inputs: readonly Array64[], context: RunContext) => Array64[])(
    node,
    inputs,
    context,
  );
}

function feedArray(name: string, feed: Tensor | undefined, shape: readonly number[]): Array64 {
  if (!feed) throw new TypeError(`the input "${name}" is missing`);
  checkShape(`the input "${name}"`, feed, shape);
  return { shape, data: Float64Array.from(feed.data) };
}

/** Throws a TypeError when a tensor has another shape than expected, or other data than its shape says. */
function checkShape(what: string, { shape, data }: Tensor, expected: Shape): void {
  const same = shape.length === expected.length && shape.every((dim, axis) => dim === expected[axis]);
  if (same && data.length === sizeOf(expected)) return;
  const count = same ? ` but ${data.length} elements` : '';
  throw new TypeError(`${what} has shape [${shape.join(', ')}]${count}, expected [${expected.join(', ')}]`);
}

function copy({ shape, data }: Array64): Tensor {
  return { shape, data: data.slice() };
}
