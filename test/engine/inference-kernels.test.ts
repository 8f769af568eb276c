/** The kernels of a MobileOne's inference, those that web pages carry: the same bits as the full ones, and nothing else. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { loadState } from '../../src/engine/engine.ts';
import { makeWasmEngine } from '../../src/engine/wasm/engine.ts';
import { INFERENCE_RULES, type Rules } from '../../src/engine/wasm/lower/inference-rules.ts';
import { RULES } from '../../src/engine/wasm/lower/rules.ts';
import { nodeKernels } from '../../src/engine/wasm/node.ts';
import type { KernelExports, Kernels } from '../../src/engine/wasm/platform.ts';
import { selfTestCases } from '../../src/engine/wasm/self-test.ts';
import { INFERENCE_OPS } from '../../src/graph/inference-ops.ts';
import { OPS } from '../../src/graph/ops.ts';
import { updatesParameters } from '../../src/graph/state.ts';
import { fuse } from '../../src/reparam/fuse.ts';

await nodeKernels(); // lets this process compile relaxed SIMD

function kernelsOf(build: string, rules: Rules): Kernels {
  const file = new URL(`../../dist/kernels/${build}.wasm`, import.meta.url);
  const module = new WebAssembly.Module(readFileSync(file));
  return {
    ops: rules === INFERENCE_RULES ? INFERENCE_OPS : OPS,
    rules,
    description: build,
    tuning: '',
    async start(memory) {
      const { exports } = new WebAssembly.Instance(module, { env: { memory } });
      const kernels = exports as unknown as KernelExports;
      const run = (list: number, count: number): void => {
        kernels.run(list, count, 0, 1);
      };
      return { run, dispose: async () => {} };
    },
  };
}

const runs = (kind: string): boolean => kind === 'RepConv' || Object.hasOwn(INFERENCE_RULES, kind);
const answering = selfTestCases().filter(
  ({ graph }) => !updatesParameters(graph) && graph.nodes.every(({ kind }) => runs(kind)),
);
const cases = answering.flatMap((one) => [one, { ...one, ...fuse(one.graph, one.state) }]);

test.each(['baseline', 'relaxed'])('the %s kernels of inference give the same bits as the full ones', async (build) => {
  expect(cases.length).toBe(4);
  for (const { graph, state, dims, feeds } of cases) {
    const answers = await Promise.all(
      [kernelsOf(build, RULES), kernelsOf(`${build}-inference`, INFERENCE_RULES)].map(async (kernels) => {
        const program = await makeWasmEngine(kernels, 1).compile(graph, { dims });
        loadState(program, state);
        return await program.run(feeds);
      }),
    );
    expect(answers[1]).toEqual(answers[0]);
  }
});

test('they say before compiling that they run no training step', async () => {
  const engine = makeWasmEngine(kernelsOf('relaxed-inference', INFERENCE_RULES), 1);
  const { graph, dims } = selfTestCases().find((one) => updatesParameters(one.graph))!;
  await expect(engine.compile(graph, { dims })).rejects.toThrow(/can't run .*\(RepConv\).* more nodes/s);
});

test('and no op of other networks', async () => {
  const engine = makeWasmEngine(kernelsOf('relaxed-inference', INFERENCE_RULES), 1);
  const { graph, dims } = selfTestCases().find((one) => one.graph.nodes.some(({ kind }) => kind === 'PRelu'))!;
  await expect(engine.compile(graph, { dims })).rejects.toThrow(
    /can't run prelu \(PRelu\), HardSigmoid \(HardSigmoid\)/,
  );
});
