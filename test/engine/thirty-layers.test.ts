/** The network of the latency studies: with activations and additions (all of them in the long tests) it is the same on ONNX Runtime and the wasm engine as on the reference. */
import { expect, test } from 'vitest';
import type { Tensor } from '../../src/core/tensor.ts';
import { loadState } from '../../src/engine/engine.ts';
import { ortEngine } from '../../src/engine/ort-node.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { ACTIVATIONS, type ActivationName } from '../../src/models/zoo/activations.ts';
import { type Addition, type ThirtyLayersOptions, thirtyLayers } from '../../src/models/zoo/thirty-layers.ts';
import { expectAgreement } from './cases/agreement.ts';
import { type Case, lively } from './cases/models.ts';
import { formula } from './cases/zoo.ts';

const LONG = Boolean(process.env.MOBILEONE_LONG);
const ADDITIONS: readonly Addition[] = LONG ? ['skip', 'se', 'se_skip', 'gate', 'pool', 'excite'] : ['se_skip', 'gate'];
const ACTIVATED: readonly ActivationName[] = LONG
  ? (Object.keys(ACTIVATIONS) as ActivationName[])
  : ['dynamic_shift_max', 'dynamic_relu_b'];
const DIMS = { N: 1, H: 16, W: 16 };

function caseOf(options: ThirtyLayersOptions): Case {
  const graph = thirtyLayers(options);
  return { graph, dims: DIMS, feeds: { input: formula('input', [1, 3, 16, 16]) }, state: lively(graph, 7) };
}

test.each<ThirtyLayersOptions>([
  ...ACTIVATED.map((activation) => ({ activation })),
  ...ADDITIONS.map((addition) => ({ addition })),
])('%o', async (options) => {
  const setups = [
    { name: 'ort', engine: await ortEngine(), threads: 1 },
    { name: 'wasm', engine: await nodeWasmEngine(), threads: 2 },
  ];
  await expectAgreement(setups, caseOf(options));
});

test('what only measures changes no logit', async () => {
  const logitsOf = async (options: ThirtyLayersOptions): Promise<Tensor['data']> => {
    const { graph, dims, feeds, state } = caseOf(options);
    const program = await createReferenceEngine().compile(graph, { dims });
    loadState(program, state);
    return (await program.run(feeds)).logits!.data;
  };
  expect(await logitsOf({ addition: 'excite' })).toEqual(await logitsOf({}));
});
