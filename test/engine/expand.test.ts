/** Expanding is the inverse of fusing, on every engine, and its branches differ. */
import { expect, test } from 'vitest';
import { scalar } from '../../src/core/tensor.ts';
import { loadState } from '../../src/engine/engine.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { withPreprocess } from '../../src/models/preprocess.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { trainMode } from '../../src/step/train-step.ts';
import { expand } from '../../src/train/expand.ts';
import { lively } from './cases/models.ts';

const CONFIG: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 2, 1, 1],
  widths: [0.2, 0.15, 0.1, 0.1],
  se_blocks: [0, 1, 0, 1],
  num_classes: 5,
};
const NORM = { mean: [0.5, 0.4, 0.3], std: [0.2, 0.25, 0.3] };
const bytes = (seed: number): Uint8Array =>
  Uint8Array.from({ length: 8 * 40 * 40 * 3 }, (_, i) => ((i * 7919 + seed * 31) ^ (i >> 3)) & 255);
const batches = [0, 1, 2].map((seed) => ({ images: { shape: [8, 40, 40, 3], data: bytes(seed) }, count: 8 }));

const largest = (values: ArrayLike<number>): number => Math.max(...Array.from(values, Math.abs));

test.each([
  ['reference', 1],
  ['reference', 4],
  ['wasm', 1],
  ['wasm', 4],
] as const)('%s: fused weights as %i conv branches a block fuse to what they were', async (name, k) => {
  const engine = name === 'wasm' ? await nodeWasmEngine({ threads: 1 }) : createReferenceEngine();
  const published = mobileOne({ ...CONFIG, num_conv_branches: 2 });
  const fused = fuse(published, lively(published, 3)).state;
  const model = withPreprocess(mobileOne({ ...CONFIG, num_conv_branches: k }), NORM);
  const state = await expand({ engine, graph: model, fused, batches, count: 3 });
  const again = fuse(model, state).state;
  expect([...again.keys()].sort()).toEqual([...fused.keys()].sort());
  for (const [key, { data }] of fused) {
    const error = largest(Array.from(data, (value, i) => value - again.get(key)!.data[i]!)) / largest(data);
    expect(error, key).toBeLessThan(1e-5); // β is stored in float32, and may be much larger than the bias
  }

  const branch = (i: number): ArrayLike<number> => state.get(`stages.0.0.conv_kxk.${i}.conv.weight`)!.data;
  if (k > 1) expect(largest(Array.from(branch(0), (value, i) => value - branch(1)[i]!))).toBeGreaterThan(0.01);

  // Measured on one batch alone, train mode on that batch has the same statistics, but for P/(P−1) in the variances of few positions.
  const ofOne = await expand({ engine, graph: model, fused, batches: batches.slice(0, 1), count: 1 });
  const training = trainMode(model);
  const dims = { N: 8, H: 40, W: 40 };
  const run = async (graph: typeof model, weights: typeof state): Promise<ArrayLike<number>> => {
    const program = await engine.compile(graph, { dims });
    loadState(program, weights);
    const image = batches[0]!.images;
    const { logits } = await program.run(graph === training ? { image, bn_momentum: scalar(0.1) } : { image });
    await program.dispose();
    return logits!.data;
  };
  const [expected, trained] = [await run(model, ofOne), await run(training, ofOne)];
  const difference = largest(Array.from(expected, (value, i) => value - trained[i]!)) / largest(expected);
  expect(difference).toBeLessThan(0.1);
});

test('expanding needs a full batch', async () => {
  const model = mobileOne({ ...CONFIG, num_conv_branches: 2 });
  const fused = fuse(model, lively(model, 3)).state;
  const input = { engine: createReferenceEngine(), graph: withPreprocess(model, NORM), fused, count: 2 };
  await expect(expand({ ...input, batches: [{ ...batches[0]!, count: 5 }] })).rejects.toThrow(/one full batch/);
});
