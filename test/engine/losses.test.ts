/** Every loss on the reference engine: its gradient against differences of its values, and the papers' formulas at easy places. */
import { expect, test } from 'vitest';
import { scalar, type Tensor } from '../../src/core/tensor.ts';
import { createReferenceEngine } from '../../src/engine/reference/engine.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import type { LossOptions } from '../../src/step/losses.ts';
import { trainStep } from '../../src/step/train-step.ts';
import { noise } from './cases/models.ts';

const [N, C] = [3, 4];

/** A model whose bias is all there is to learn: logits = input + bias. */
function shifted(): ReturnType<ReturnType<typeof graphBuilder>['build']> {
  const g = graphBuilder('shifted');
  const x = g.input('input', ['N', C]);
  g.declare({ weight: { shape: [C, C], role: 'weight' }, bias: { shape: [C], role: 'bias' } });
  return g.build({ logits: g.op('Gemm', 'fc', [x], {}, { weight: 'weight', bias: 'bias' }) });
}

interface Feeds {
  readonly input: Tensor;
  readonly target: Tensor;
  readonly teacher: Tensor;
}

const target = { shape: [N, C], data: Float64Array.of(0.1, 0.2, 0.3, 0.4, 0, 1, 0, 0, 0.5, 0.5, 0, 0) };
const RANDOM: Feeds = { input: noise([N, C], 1), target, teacher: noise([N, C], 2) };

/** Loss and d loss / d bias, which is the sum of the logits' gradients over rows. */
async function lossOf(loss: LossOptions, feeds: Feeds, bias: readonly number[]): Promise<[number, ArrayLike<number>]> {
  const graph = trainStep(shifted(), C, { momentum: 0, nesterov: false, ema: false, loss });
  const program = await createReferenceEngine().compile(graph, { dims: { N } });
  const identity = Float64Array.from({ length: C * C }, (_, i) => Number(i % (C + 1) === 0));
  program.write('weight', { shape: [C, C], data: identity });
  program.write('bias', { shape: [C], data: Float64Array.from(bias) });
  const { input, target, teacher } = feeds;
  const rates = { lr: scalar(0), weight_decay: scalar(0), bn_momentum: scalar(0) };
  const given = { input, target, ...(loss.kind === 'DistillationLoss' ? { teacher } : {}), ...rates };
  const results = await program.run(given);
  return [results.loss!.data[0]!, program.read('grad:bias').data];
}

const LOSSES: readonly LossOptions[] = [
  { kind: 'SoftmaxCrossEntropyLoss' },
  { kind: 'BinaryCrossEntropyLoss' },
  { kind: 'DistillationLoss', attrs: { form: 'soft', hard: 0.3, temperature: 4, soft: 0.7 } },
  { kind: 'DistillationLoss', attrs: { form: 'dist', hard: 0.5, temperature: 2, inter: 1, intra: 2 } },
];

test.each(LOSSES)('$kind $attrs.form: the gradient is the slope of the loss', async (loss) => {
  const bias = [0.3, -0.2, 0.1, 0.4];
  const [, gradient] = await lossOf(loss, RANDOM, bias);
  for (let i = 0; i < C; i++) {
    const at = async (step: number): Promise<number> =>
      (
        await lossOf(
          loss,
          RANDOM,
          bias.map((value, j) => (j === i ? value + step : value)),
        )
      )[0];
    const slope = ((await at(1e-5)) - (await at(-1e-5))) / 2e-5;
    expect(gradient[i]).toBeCloseTo(slope, 8);
  }
});

test('a student that is its teacher has nothing left to learn from it', async () => {
  const same = { ...RANDOM, teacher: RANDOM.input };
  for (const loss of LOSSES) {
    if (loss.kind !== 'DistillationLoss') continue;
    const [value, gradient] = await lossOf({ ...loss, attrs: { ...loss.attrs, hard: 0 } }, same, [0, 0, 0, 0]);
    expect(value).toBeCloseTo(0, 12);
    for (const slope of Array.from(gradient)) expect(slope).toBeCloseTo(0, 12);
  }
});

test('at a temperature of 1, learning from soft labels is cross-entropy against mixed ones, less their entropy', async () => {
  const softmax = (row: number[]): number[] => {
    const e = row.map(Math.exp);
    return e.map((value) => value / e.reduce((a, b) => a + b));
  };
  const rows = [0, 1, 2].map((n) => softmax([...RANDOM.teacher.data.slice(n * C, (n + 1) * C)]));
  const teacher = rows.flat();
  const attrs = { form: 'soft', hard: 0.25, temperature: 1, soft: 0.75 } as const;
  const [distilled] = await lossOf({ kind: 'DistillationLoss', attrs }, RANDOM, [0, 0, 0, 0]);
  const mixed = { shape: [N, C], data: target.data.map((value, i) => 0.25 * value + 0.75 * teacher[i]!) };
  const [mixedLoss] = await lossOf({ kind: 'SoftmaxCrossEntropyLoss' }, { ...RANDOM, target: mixed }, [0, 0, 0, 0]);
  const entropy = teacher.reduce((sum, p) => sum - p * Math.log(p), 0) / N;
  expect(distilled).toBeCloseTo(mixedLoss - 0.75 * entropy, 6);
});
