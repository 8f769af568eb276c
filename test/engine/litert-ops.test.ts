/** Every op of inference written as TFLite, in LiteRT.js, against the float64 reference. */
import { test } from 'vitest';
import { expectAgreement } from './cases/agreement.ts';
import { inferenceCases, moreCases } from './cases/inference-ops.ts';
import { liteRtEngine } from './cases/litert.ts';

const named = [...inferenceCases(), ...moreCases()].map((one) => ({
  ...one,
  name: `${one.graph.name}, ${one.graph.inputs[0]!.shape[1]} channels`,
}));

test.each(named)('$name', async (one) => {
  await expectAgreement([{ name: 'litert', engine: await liteRtEngine(), threads: 1 }], one);
});
