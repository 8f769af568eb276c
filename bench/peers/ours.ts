import { loadState } from '../../src/engine/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import type { SideSpec } from '../spec.ts';
import type { BenchSubject } from '../subject.ts';
import type { Opened } from './peers.ts';

/** Our engine. */
export async function openOurs({ threads, wide }: SideSpec, subject: BenchSubject): Promise<Opened> {
  const engine = await nodeWasmEngine({ threads, wide });
  const program = await engine.compile(subject.graph, { dims: subject.dims });
  loadState(program, subject.state);
  const { description } = engine.capabilities();
  return {
    runtime: `mobileone ${description}`,
    planned: (program.memory.activations + program.memory.state) / 1e6,
    run: async () => (await program.run(subject.feeds)).logits?.data,
  };
}
