/**
 * The training loop: an async generator of events over a training-step program. All randomness is named by counters
 * (seed, epoch, step, sample), so state and position are all that a checkpoint needs.
 */
import { UserError } from '../core/errors.ts';
import type { EpochMetrics, RunEvent } from '../core/events.ts';
import { type StateDict, scalar, type Tensor } from '../core/tensor.ts';
import { type Engine, readState } from '../engine/engine.ts';
import { type Evaluation, evaluate, type LabeledBatch } from '../evaluate/evaluate.ts';
import { addToMean, meanOf, NO_MEAN, type RunningMean, rankOf, rowsOf } from '../evaluate/metrics.ts';
import type { Graph } from '../graph/graph.ts';
import { baseLearningRate, type Recipe } from '../recipe/recipe.ts';
import { emaDecay, learningRate, weightDecay } from '../step/schedules.ts';
import { measurePace, type Pace } from './pace.ts';
import { compilePrograms, type Programs } from './programs.ts';
import { recalibrate } from './recalibrate.ts';
import { smoothedTarget } from './target.ts';

/** Batches of an epoch, as a loader gives them. */
export interface BatchSource {
  readonly stepsPerEpoch: number;
  epoch(epoch: number, fromStep?: number): AsyncIterable<LabeledBatch>;
}

/** Where a run stands: with the state, all that resuming needs. */
export interface Position {
  readonly epoch: number;
  /** Steps of the epoch already done; all of them when only its evaluation is missing. */
  readonly step: number;
  /** Loss and top-1 (percent) of the epoch so far. */
  readonly loss: RunningMean;
  readonly top1: RunningMean;
  /** Seconds trained so far, interruptions left out. */
  readonly seconds: number;
  /** Metrics of the finished epochs. */
  readonly metrics: readonly EpochMetrics[];
  readonly best?: { readonly epoch: number; readonly valTop1: number };
}

/** Where a run puts what it makes; every write is whole or not at all. Paths are for messages. */
export interface RunStore {
  /** Saves `last`, the state of training, and returns its path. */
  checkpoint(state: StateDict, position: Position): Promise<string>;
  /** Saves the evaluated weights: the best so far, or the final ones. Returns the path. */
  model(kind: 'best' | 'final', state: StateDict, metrics: EpochMetrics): Promise<string>;
}

export interface TrainOptions {
  /** Name or folder of the run, for the events. */
  readonly run: string;
  readonly recipe: Recipe;
  /** Train form, taking uint8 `image` `[N, H, W, 3]` (`withPreprocess`). */
  readonly model: Graph;
  readonly classes: readonly string[];
  readonly engine: Engine;
  /** Full batches of `recipe.batch_size`. */
  readonly train: BatchSource;
  readonly val: BatchSource;
  /** Training images without augmentation; not read when `recipe.recalibrate_images` is 0. */
  readonly calibration: BatchSource;
  readonly trainImages: number;
  readonly valImages: number;
  readonly evalBatch: number;
  readonly calibrationBatch: number;
  readonly store: RunStore;
  readonly resume?: { readonly state: StateDict; readonly position: Position } | undefined;
  /** Weights to begin with; parameters that it lacks are drawn from the seed. */
  readonly initial?: StateDict | undefined;
  /** When it aborts, the step is finished and a checkpoint saved. */
  readonly signal?: AbortSignal | undefined;
}

/** Training has diverged: resuming would end the same way. */
export class Diverged extends UserError {}

const BN_MOMENTUM = 0.1;
const START: Position = { epoch: 0, step: 0, loss: NO_MEAN, top1: NO_MEAN, seconds: 0, metrics: [] };

/** Lets timers, signals and workers' messages be handled; a program may run without ever leaving the microtasks. */
const breathe = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));
const seconds = (): number => performance.now() / 1000;

/** What the parts of a run share. */
interface Context extends TrainOptions {
  readonly programs: Programs;
  readonly pace: Pace;
  /** Value of `Position.seconds` now. */
  trained(): number;
  /** Saves `last` at a position. */
  save(position: Position): Promise<string>;
}

/**
 * Trains and yields what happens; the last event is `end` or, after the signal, `interrupted`. Throws a UserError when
 * the loss is no longer a number; the last good checkpoint stays.
 */
export async function* train(options: TrainOptions): AsyncGenerator<RunEvent> {
  const { recipe, resume, store, classes, signal, evalBatch, calibrationBatch } = options;
  const sizes = { classes: classes.length, evalBatch, calibrationBatch };
  const programs = await compilePrograms(options.engine, options.model, recipe, sizes, options);
  let position = resume?.position ?? START;
  const began = seconds() - position.seconds;
  const trained = (): number => seconds() - began;
  const save = async (at: Position): Promise<string> => {
    const state = readState(programs.step);
    checkFinite(state, at, recipe);
    return await store.checkpoint(state, { ...at, seconds: trained() });
  };
  const context: Context = { ...options, programs, pace: measurePace(), trained, save };
  try {
    yield startEvent(options);
    if (!resume) yield { type: 'checkpoint', path: await save(position) };
    let path = '';
    do {
      const epochBegan = seconds();
      const { epoch, step: before } = position;
      const finished = epoch >= recipe.epochs;
      position = yield* trainEpoch(context, position);
      const rate = ((position.step - before) * recipe.batch_size) / (seconds() - epochBegan);
      const evaluated = signal?.aborted ? undefined : await evaluateWeights(context);
      if (!evaluated) {
        const checkpoint = await save(position);
        yield { type: 'interrupted', epoch, step: position.step, checkpoint };
        return;
      }
      const metrics = finished ? position.metrics.at(-1)! : epochMetrics(context, position, evaluated.evaluation, rate);
      const best = !finished && metrics.valTop1 > (position.best?.valTop1 ?? -1);
      if (best) await store.model('best', evaluated.state, metrics);
      if (epoch + 1 >= recipe.epochs) path = await store.model('final', evaluated.state, metrics);
      if (!finished) {
        position = nextEpoch(position, metrics, best);
        yield { type: 'epoch', metrics, best };
        yield { type: 'checkpoint', path: await save(position) };
      }
    } while (position.epoch < recipe.epochs);
    yield { type: 'end', metrics: position.metrics.at(-1)!, checkpoint: path };
  } finally {
    await programs.dispose();
  }
}

function startEvent({ run, recipe, train, trainImages, valImages, classes, resume }: TrainOptions): RunEvent {
  const { epochs } = recipe;
  const { epoch, step } = resume?.position ?? START;
  const counts = { run, epochs, stepsPerEpoch: train.stepsPerEpoch, trainImages, valImages, classes };
  return { type: 'start', ...counts, ...(resume ? { resumedFrom: { epoch, step } } : {}) };
}

function nextEpoch(position: Position, metrics: EpochMetrics, best: boolean): Position {
  const { epoch, seconds } = position;
  return {
    ...START,
    epoch: epoch + 1,
    seconds,
    metrics: [...position.metrics, metrics],
    ...(best ? { best: { epoch, valTop1: metrics.valTop1 } } : position.best ? { best: position.best } : {}),
  };
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

/** Trains what is left of an epoch; returns the position after it, or where the signal stopped it. */
async function* trainEpoch(context: Context, from: Position): AsyncGenerator<RunEvent, Position> {
  const { recipe, train, classes, programs, pace, signal } = context;
  const { stepsPerEpoch } = train;
  let position = from;
  if (position.epoch >= recipe.epochs || position.step >= stepsPerEpoch) return position;
  let saved = seconds();
  let began = seconds();
  for await (const batch of train.epoch(position.epoch, position.step)) {
    const t = position.epoch * stepsPerEpoch + position.step;
    const { lr, weightDecay } = ratesAt(recipe, stepsPerEpoch, t);
    const { loss, logits } = (await programs.step.run({
      image: batch.images,
      target: smoothedTarget(batch.labels, classes.length, recipe.label_smoothing),
      lr: scalar(lr),
      weight_decay: scalar(weightDecay),
      bn_momentum: scalar(BN_MOMENTUM),
      ...(recipe.optimizer === 'adamw' ? { step: scalar(t + 1) } : {}),
      ...(recipe.ema_decay > 0 ? { ema_decay: scalar(emaDecay(recipe.ema_decay, t)) } : {}),
    })) as { loss: Tensor; logits: Tensor };
    const value = loss.data[0]!;
    if (!Number.isFinite(value)) throw diverged(`The loss became ${value}`, position, recipe, lr);
    position = {
      ...position,
      step: position.step + 1,
      loss: addToMean(position.loss, value, batch.count),
      top1: addToMean(position.top1, batchTop1(logits, batch), batch.count),
    };
    await breathe();
    const now = seconds();
    pace.step(batch.count, now - began);
    began = now;
    const { epoch, step } = position;
    const left = (recipe.epochs - epoch) * stepsPerEpoch - step;
    const { imagesPerSecond } = pace;
    const etaSeconds = pace.eta(left, recipe.epochs - epoch);
    yield { type: 'step', epoch, step, loss: value, lr, imagesPerSecond, etaSeconds };
    if (signal?.aborted) return position;
    if (recipe.checkpoint_every > 0 && now - saved >= 60 * recipe.checkpoint_every && step < stepsPerEpoch) {
      yield { type: 'checkpoint', path: await context.save(position) };
      saved = began = seconds();
    }
  }
  return position;
}

function batchTop1(logits: Tensor, { labels, count }: LabeledBatch): number {
  const rows = rowsOf(logits.data as Float32Array, logits.shape[1]!, count);
  return (100 * rows.filter((row, n) => rankOf(row, labels[n]!) === 0).length) / count;
}

/** Evaluates the averaged weights, with recalibrated statistics, in fused form; undefined when the signal aborts. */
async function evaluateWeights(context: Context): Promise<{ state: StateDict; evaluation: Evaluation } | undefined> {
  const { programs, model, classes, signal, pace } = context;
  const began = seconds();
  const averaged = programs.averaged();
  const state = programs.calibration
    ? await recalibrate(programs.calibration, model, averaged, breathing(context.calibration.epoch(0)), signal)
    : averaged;
  if (!state) return undefined;
  programs.writeFused(state);
  const evaluation = await evaluate(programs.evaluation, breathing(context.val.epoch(0)), classes.length, signal);
  pace.evaluation(seconds() - began);
  return evaluation && { state, evaluation };
}

async function* breathing<T>(batches: AsyncIterable<T>): AsyncGenerator<T> {
  for await (const batch of batches) {
    await breathe();
    yield batch;
  }
}

function epochMetrics(context: Context, position: Position, val: Evaluation, rate: number): EpochMetrics {
  const { recipe, train } = context;
  const t = Math.max(0, position.epoch * train.stepsPerEpoch + position.step - 1);
  const { lr, weightDecay } = ratesAt(recipe, train.stepsPerEpoch, t);
  return {
    epoch: position.epoch,
    trainLoss: meanOf(position.loss),
    trainTop1: meanOf(position.top1),
    valLoss: val.loss,
    valTop1: val.top1,
    valTop5: val.top5,
    lr,
    weightDecay,
    imagesPerSecond: rate,
    seconds: context.trained(),
  };
}

function checkFinite(state: StateDict, position: Position, recipe: Recipe): void {
  for (const [name, { data }] of state) {
    if (data.every(Number.isFinite)) continue;
    throw diverged(`The weights are no longer finite ("${name}")`, position, recipe, baseLearningRate(recipe));
  }
}

function diverged(what: string, { epoch, step }: Position, recipe: Recipe, lr: number): Diverged {
  const lower = Number((baseLearningRate(recipe) / 10).toPrecision(2));
  return new Diverged(
    `${what} in epoch ${epoch + 1}, step ${step + 1}, at a learning rate of ${Number(lr.toPrecision(4))}: training has diverged.`,
    `Train again with a lower rate (--lr ${lower}) or a longer warm-up (--warmup-epochs ${Math.max(1, Math.ceil(recipe.warmup_epochs * 2))}). The last good checkpoint is kept.`,
  );
}
