/** A compiled program: one memory, one instruction list, state by name. */

import { INSTRUCTION_WORDS } from '../../../kernels/opcodes.ts';
import { sizeOf, type Tensor } from '../../core/tensor.ts';
import { statePrefixes } from '../../graph/state.ts';
import type { Program } from '../engine.ts';
import { addressOf, encode } from './emitter.ts';
import { memoryOf, type Plan } from './fit.ts';
import { pack, unpack } from './layout.ts';
import type { Value } from './lower/context.ts';
import type { Kernels, Runner } from './platform.ts';
import { type Arena, arenasOf } from './state.ts';

type Feeds = Parameters<Program['run']>[0];

const PAGE = 65536;

/** Makes the program of a plan in a memory of its size. */
export async function makeProgram(
  plan: Plan,
  memory: WebAssembly.Memory,
  kernels: Kernels,
  threads: number,
): Promise<Program> {
  const { bound, lowered, listAt: mainAt } = plan;
  const { main, preparation, state } = lowered;
  const preparationAt = mainAt + main.length * INSTRUCTION_WORDS * 4;
  encode(main, memory.buffer, mainAt);
  encode(preparation, memory.buffer, preparationAt);
  const floatsAt = (address: number, count: number): Float32Array => new Float32Array(memory.buffer, address, count);
  for (const { ref, values } of lowered.constants) floatsAt(addressOf(ref), values.length).set(Array.from(values));

  const runner: Runner = await kernels.start(memory, threads);
  let dirty = preparation.length > 0;

  const arenas = arenasOf(bound.graph);
  const resolve = (
    name: string,
  ): { array: Float32Array; slot: NonNullable<ReturnType<typeof state.slots.get>>; arena: Arena } => {
    const arena = arenas.find((candidate) => name.startsWith(`${candidate}:`)) ?? 'param';
    const param = arena === 'param' ? name : name.slice(arena.length + 1);
    const slot = state.slots.get(param);
    if (!slot) throw new TypeError(`the program has no state named "${name}"`);
    return { array: floatsAt(addressOf(state.refOf(param, arena)), slot.layout.size), slot, arena };
  };

  const learnable = [...state.slots].filter(([, slot]) => slot.region !== 'statistics').map(([name]) => name);
  const stateNames = [
    ...Object.keys(bound.graph.params).filter((name) => state.slots.has(name)),
    ...statePrefixes(bound.graph).flatMap((prefix) => learnable.map((name) => `${prefix}:${name}`)),
  ];
  const runOnce = async (feeds: Feeds): Promise<Record<string, Tensor>> => {
    for (const { name, dtype } of bound.graph.inputs) {
      const feed = feeds[name];
      const shape = bound.shapes.get(name)!;
      if (!feed) throw new TypeError(`the input "${name}" is missing`);
      if (!sameShape(feed.shape, shape) || feed.data.length !== sizeOf(shape)) {
        throw new TypeError(`the input "${name}" has shape [${feed.shape.join(', ')}], expected [${shape.join(', ')}]`);
      }
      const address = addressOf(lowered.inputs.get(name)!);
      const View = dtype === 'uint8' ? Uint8Array : Float32Array;
      new View(memory.buffer, address, feed.data.length).set(feed.data);
    }
    for (const name of Object.keys(feeds)) {
      if (!lowered.inputs.has(name)) throw new TypeError(`the graph has no input "${name}"`);
    }
    if (dirty) await runner.run(preparationAt, preparation.length);
    dirty = false;
    await runner.run(mainAt, main.length);
    const results: Record<string, Tensor> = {};
    for (const [name, value] of lowered.outputs) {
      results[name] = readValue(value, bound.shapes.get(bound.graph.outputs[name]!)!, floatsAt);
    }
    return results;
  };
  /** Runs take turns: a run that waits for a slow thread leaves the caller free to ask for the next. */
  let last: Promise<unknown> = Promise.resolve();

  return {
    stateNames,
    memory: memoryOf(plan),
    run(feeds) {
      const result = last.then(() => runOnce(feeds));
      last = result.catch(() => undefined);
      return result;
    },
    read(name) {
      const { array, slot } = resolve(name);
      return { shape: slot.shape, data: unpack(slot.layout, array, sizeOf(slot.shape)) };
    },
    write(name, value) {
      const { array, slot, arena } = resolve(name);
      if (!sameShape(value.shape, slot.shape) || value.data.length !== sizeOf(slot.shape)) {
        throw new TypeError(`"${name}" has shape [${value.shape.join(', ')}], expected [${slot.shape.join(', ')}]`);
      }
      if (arena === 'grad') throw new TypeError('gradients can only be read');
      pack(slot.layout, value.data, array);
      dirty = preparation.length > 0;
    },
    async dispose() {
      await runner.dispose();
    },
  };
}

const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((size, i) => size === b[i]);

/** A memory of so many bytes, or undefined where the machine does not give it. */
export function allocate(bytes: number): WebAssembly.Memory | undefined {
  const pages = Math.ceil(bytes / PAGE);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch {
    return undefined;
  }
}

/** Copies a value out in logical order: `[N, C, H, W]`, `[N, C]` or a scalar. */
function readValue(
  value: Value,
  shape: readonly number[],
  floatsAt: (address: number, count: number) => Float32Array,
): Tensor {
  const { n, c, h, w, stride } = value;
  const data = new Float32Array(n * c * h * w);
  const source = floatsAt(addressOf(value.ref), n * h * w * stride);
  const pixels = h * w;
  for (let i = 0, at = 0; i < n; i++) {
    for (let channel = 0; channel < c; channel++) {
      for (let p = 0; p < pixels; p++) data[at++] = source[(i * pixels + p) * stride + channel]!;
    }
  }
  return { shape, data };
}
