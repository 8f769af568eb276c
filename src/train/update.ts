/** One update of the weights from one batch: targets, rates, micro-batches. */
import { scalar, type Tensor } from '../core/tensor.ts';
import type { LabeledBatch } from '../evaluate/evaluate.ts';
import { argmax, type Row, rowsOf } from '../evaluate/metrics.ts';
import type { Mix } from '../images/augment/mix.ts';
import { baseLearningRate, microBatchSize, type Recipe } from '../recipe/recipe.ts';
import { emaDecay, learningRate, weightDecay } from '../step/schedules.ts';
import type { Programs } from './programs.ts';
import { balancedWeights, mixedTarget, multiLabelTarget, smoothedTarget, weightedTarget } from './target.ts';
import type { Teacher } from './teacher.ts';

const BN_MOMENTUM = 0.1;

/** A batch to learn from; a mixed one says how, and its labels are those of the own images. */
export interface TrainingBatch extends LabeledBatch {
  readonly mix?: Mix | undefined;
}

/** What an update needs of a run. */
export interface Updating {
  readonly recipe: Recipe;
  readonly programs: Pick<Programs, 'step'>;
  readonly classes: readonly string[];
  readonly classCounts?: readonly number[] | undefined;
  readonly teacher?: Teacher | undefined;
  readonly stepsPerEpoch: number;
}

/** Learning rate and weight decay at a step counted over the whole run. */
export function ratesAt(recipe: Recipe, stepsPerEpoch: number, t: number): { lr: number; weightDecay: number } {
  const totalSteps = recipe.epochs * stepsPerEpoch;
  const warmupSteps = Math.round(recipe.warmup_epochs * stepsPerEpoch);
  const schedule = { start: baseLearningRate(recipe), end: recipe.min_lr, warmupSteps, totalSteps };
  return {
    lr: learningRate(schedule, t),
    weightDecay: weightDecay(recipe.weight_decay, recipe.weight_decay_end, t, totalSteps),
  };
}

/** One update of the weights from a batch, run by run of micro-batches; mean loss and top-1 (percent) before it. */
export async function update(
  { recipe, stepsPerEpoch, classes, programs, teacher, classCounts }: Updating,
  batch: TrainingBatch,
  { epoch, step }: { readonly epoch: number; readonly step: number },
): Promise<{ loss: number; top1: number }> {
  const t = epoch * stepsPerEpoch + step;
  const { lr, weightDecay } = ratesAt(recipe, stepsPerEpoch, t);
  const target = mixedTarget(targetOf(batch, classes.length, recipe, classCounts), batch.mix);
  const taught = await teacher?.logits(batch, epoch, step);
  const rates = {
    lr: scalar(lr),
    weight_decay: scalar(weightDecay),
    bn_momentum: scalar(BN_MOMENTUM),
    ...(recipe.optimizer === 'adamw' ? { step: scalar(t + 1) } : {}),
  };
  const size = microBatchSize(recipe);
  const runs = recipe.batch_size / size;
  let [loss, hits] = [0, 0];
  for (let run = 0; run < runs; run++) {
    const last = run === runs - 1;
    const part = (tensor: Tensor): Tensor => rowsOfTensor(tensor, run * size, size);
    const results = (await programs.step.run({
      image: part(batch.images),
      target: part(target),
      ...(taught ? { teacher: part(taught) } : {}),
      ...rates,
      ...(runs > 1 ? { grad_keep: scalar(run === 0 ? 0 : 1), grad_scale: scalar(last ? 1 / runs : 0) } : {}),
      ...(recipe.ema_decay > 0 ? { ema_decay: scalar(last ? emaDecay(recipe.ema_decay, t) : 1) } : {}),
    })) as { loss: Tensor; logits: Tensor };
    loss += results.loss.data[0]! / runs;
    hits += hitsOf(results.logits, batch, run * size);
  }
  return { loss, top1: (100 * hits) / batch.count };
}

/** `count` entries of the first dimension, from `first` on, in the same memory. */
function rowsOfTensor({ shape, data }: Tensor, first: number, count: number): Tensor {
  const each = data.length / shape[0]!;
  return { shape: [count, ...shape.slice(1)], data: data.subarray(first * each, (first + count) * each) };
}

function targetOf(
  { labels, labelSets }: LabeledBatch,
  classes: number,
  { loss, label_smoothing, class_weights }: Recipe,
  classCounts: readonly number[] | undefined,
): Tensor {
  if (loss === 'bce')
    return multiLabelTarget(labelSets ?? Array.from(labels, (label) => [label]), classes, label_smoothing);
  const target = smoothedTarget(labels, classes, label_smoothing);
  return class_weights === 'balanced' ? weightedTarget(target, balancedWeights(classCounts!)) : target;
}

/** Images of a micro-batch whose highest class is their label, or one of them. */
function hitsOf(logits: Tensor, { labels, labelSets, count }: LabeledBatch, first: number): number {
  const [n, classes] = logits.shape as [number, number];
  const rows = rowsOf(logits.data as Float32Array, classes, Math.max(0, Math.min(n, count - first)));
  const isHit = (row: Row, at: number): boolean => (labelSets?.[at] ?? [labels[at]!]).includes(argmax(row));
  return rows.filter((row, i) => isHit(row, first + i)).length;
}
