import { loadState } from '../../src/engine/engine.ts';
import { ortEngine } from '../../src/engine/ort-node.ts';
import type { SideSpec } from '../spec.ts';
import type { BenchSubject } from '../subject.ts';
import type { Opened } from './peers.ts';

/** ONNX Runtime on the fused graph as we export it. */
export async function openOrt(runtime: 'node' | 'web', { threads }: SideSpec, subject: BenchSubject): Promise<Opened> {
  const engine = await ortEngine({ runtime, threads });
  const program = await engine.compile(subject.graph, { dims: subject.dims });
  loadState(program, subject.state);
  return {
    runtime: engine.capabilities().description,
    run: async () => (await program.run(subject.feeds)).logits?.data,
  };
}
