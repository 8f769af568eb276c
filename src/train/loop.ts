/**
 * The training loop: an async generator of events over a training-step program. All randomness is named by counters
 * (seed, epoch, step, sample), so state and position are all that a checkpoint needs.
 */
import type { EpochMetrics, RunEvent } from '../core/events.ts';
import type { StateDict } from '../core/tensor.ts';
import type { Engine } from '../engine/engine.ts';
import { type Evaluation, evaluate } from '../evaluate/evaluate.ts';
import { addToMean, meanOf, NO_MEAN, type RunningMean } from '../evaluate/metrics.ts';
import type { Graph } from '../graph/graph.ts';
import { phaseAt, pixelShare, workFrom } from '../recipe/curriculum.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { checkFinite, diverged, firstNotFinite } from './diverged.ts';
import { measurePace, type Pace } from './pace.ts';
import { compilePrograms, type Programs } from './programs.ts';
import { recalibrate } from './recalibrate.ts';
import type { Teacher } from './teacher.ts';
import { ratesAt, type TrainingBatch, update } from './update.ts';

/** Batches of an epoch, as a loader gives them; mixed ones say how. */
export interface BatchSource {
  readonly stepsPerEpoch: number;
  epoch(epoch: number, fromStep?: number): AsyncIterable<TrainingBatch>;
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
  /** The best epoch so far and its metric: mean average precision if there is one, else top-1. */
  readonly best?: { readonly epoch: number; readonly valTop1: number };
}

/** Where a run puts what it makes; every write is whole or not at all. Paths are for messages. */
export interface RunStore {
  /** Saves `last`, the state of training, and returns its path. */
  checkpoint(state: StateDict, position: Position): Promise<string>;
  /** Saves the evaluated weights: the best so far, or the final ones. Returns the path. */
  model(kind: 'best' | 'final', state: StateDict, metrics: EpochMetrics): Promise<string>;
  /** Reads the best weights so far back, for a run with `patience`; without it an early end keeps the last ones. */
  best?(): Promise<StateDict>;
}

export interface TrainOptions {
  /** Name or folder of the run, for the events. */
  readonly run: string;
  readonly recipe: Recipe;
  /** Train form, taking uint8 `image` `[N, H, W, C]` (`withPreprocess`). */
  readonly model: Graph;
  readonly classes: readonly string[];
  /** Images may have several of the classes. */
  readonly multiLabel?: true | undefined;
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
  /** Number of training images of each class, for class weights. */
  readonly classCounts?: readonly number[] | undefined;
  /** The model to learn from, if the recipe names one. */
  readonly teacher?: Teacher | undefined;
  /** Weights to begin with; parameters that it lacks are drawn from the seed. */
  readonly initial?: StateDict | undefined;
  /** When it aborts, the step is finished and a checkpoint saved. */
  readonly signal?: AbortSignal | undefined;
}

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
  const { size: trainSize } = phaseAt(recipe, resume?.position.epoch ?? 0);
  const sizes = { classes: classes.length, trainSize, evalBatch, calibrationBatch };
  const programs = await compilePrograms(options.engine, options.model, recipe, sizes, options);
  let position = resume?.position ?? START;
  const began = seconds() - position.seconds;
  const trained = (): number => seconds() - began;
  const save = async (at: Position): Promise<string> => {
    const state = programs.state();
    checkFinite(programs.trained, state, at, recipe);
    return await store.checkpoint(state, { ...at, seconds: trained() });
  };
  const context: Context = { ...options, programs, pace: measurePace(), trained, save };
  try {
    yield startEvent(options);
    if (!resume) yield { type: 'checkpoint', path: await save(position) };
    let path = '';
    let last: EpochMetrics | undefined;
    let shownSize = recipe.size;
    do {
      const epochBegan = seconds();
      const { epoch, step: before } = position;
      const finished = isOver(position, recipe);
      const { size } = phaseAt(recipe, epoch);
      if (size !== shownSize) yield { type: 'phase', epoch, size };
      shownSize = size;
      await programs.resizeStep(size);
      if (!finished) position = yield* trainEpoch(context, position);
      const rate = ((position.step - before) * recipe.batch_size) / (seconds() - epochBegan);
      const evaluated = signal?.aborted ? undefined : await evaluateWeights(context, position);
      if (!evaluated) {
        const checkpoint = await save(position);
        yield { type: 'interrupted', epoch, step: position.step, checkpoint };
        return;
      }
      const metrics = finished ? position.metrics.at(-1)! : epochMetrics(context, position, evaluated.evaluation, rate);
      const best = !finished && scoreOf(metrics) > (position.best?.valTop1 ?? -1);
      if (best) await store.model('best', evaluated.state, metrics);
      const next = finished ? position : nextEpoch(position, metrics, best);
      const early = next.epoch < recipe.epochs;
      if (isOver(next, recipe)) {
        last = early ? next.metrics[next.best!.epoch]! : metrics;
        path = await store.model('final', (early && (await store.best?.())) || evaluated.state, last);
      }
      if (!finished) {
        position = next;
        yield { type: 'epoch', metrics, best };
        yield { type: 'checkpoint', path: await save(position) };
      }
    } while (!isOver(position, recipe));
    if (position.epoch < recipe.epochs) yield { type: 'note', message: earlyText(position) };
    yield { type: 'end', metrics: last!, checkpoint: path };
  } finally {
    await programs.dispose();
  }
}

function startEvent({
  run,
  recipe,
  train,
  trainImages,
  valImages,
  classes,
  multiLabel,
  resume,
}: TrainOptions): RunEvent {
  const { epochs } = recipe;
  const { epoch, step } = resume?.position ?? START;
  const counts = { run, epochs, stepsPerEpoch: train.stepsPerEpoch, trainImages, valImages, classes };
  return {
    type: 'start',
    ...counts,
    ...(multiLabel ? { multiLabel } : {}),
    ...(resume ? { resumedFrom: { epoch, step } } : {}),
  };
}

/** What decides which epoch is the best: mean average precision if there is one, else top-1. */
function scoreOf({ valMap, valTop1 }: EpochMetrics): number {
  return valMap ?? valTop1;
}

/** Whether nothing is left to train: all epochs are done, or validation has not improved for `patience` of them. */
function isOver({ epoch, best }: Position, { epochs, patience }: Recipe): boolean {
  return epoch >= epochs || (patience > 0 && best !== undefined && epoch - 1 - best.epoch >= patience);
}

function earlyText({ epoch, best }: Position): string {
  return `Training ended after epoch ${epoch}, since validation had not improved since epoch ${best!.epoch + 1}, whose weights are kept.`;
}

function nextEpoch(position: Position, metrics: EpochMetrics, best: boolean): Position {
  const { epoch, seconds } = position;
  return {
    ...START,
    epoch: epoch + 1,
    seconds,
    metrics: [...position.metrics, metrics],
    ...(best ? { best: { epoch, valTop1: scoreOf(metrics) } } : position.best ? { best: position.best } : {}),
  };
}

/** Trains what is left of an epoch; returns the position after it, or where the signal stopped it. */
async function* trainEpoch(context: Context, from: Position): AsyncGenerator<RunEvent, Position> {
  const { recipe, train, programs, pace, signal } = context;
  const { stepsPerEpoch } = train;
  let position = from;
  if (position.epoch >= recipe.epochs || position.step >= stepsPerEpoch) return position;
  const [work, later] = [pixelShare(recipe, position.epoch), workFrom(recipe, position.epoch + 1)];
  let saved = seconds();
  let began = seconds();
  for await (const batch of train.epoch(position.epoch, position.step)) {
    const t = position.epoch * stepsPerEpoch + position.step;
    const { lr } = ratesAt(recipe, stepsPerEpoch, t);
    const { loss, top1 } = await update({ ...context, stepsPerEpoch }, batch, position);
    if (!Number.isFinite(loss)) {
      const where = firstNotFinite(programs.trained, programs.state());
      throw diverged(`The loss became ${loss}${where ? `, beginning in "${where}",` : ''}`, position, recipe, lr);
    }
    position = {
      ...position,
      step: position.step + 1,
      loss: addToMean(position.loss, loss, batch.count),
      top1: addToMean(position.top1, top1, batch.count),
    };
    await breathe();
    const now = seconds();
    pace.step(batch.count, now - began, work);
    began = now;
    const { epoch, step } = position;
    const left = (stepsPerEpoch - step) * work + stepsPerEpoch * later;
    const { imagesPerSecond } = pace;
    const etaSeconds = pace.eta(left, recipe.epochs - epoch);
    yield { type: 'step', epoch, step, loss, top1: meanOf(position.top1), lr, imagesPerSecond, etaSeconds };
    if (signal?.aborted) return position;
    if (recipe.checkpoint_every > 0 && now - saved >= 60 * recipe.checkpoint_every && step < stepsPerEpoch) {
      yield { type: 'checkpoint', path: await context.save(position) };
      saved = began = seconds();
    }
  }
  return position;
}

/**
 * Evaluates the averaged weights, with recalibrated statistics, in fused form; undefined when the signal aborts. The last
 * step of an epoch may have spoiled them: that is seen here, before they replace good ones.
 */
async function evaluateWeights(
  context: Context,
  position: Position,
): Promise<{ state: StateDict; evaluation: Evaluation } | undefined> {
  const { programs, classes, signal, pace } = context;
  const began = seconds();
  const { calibration, trained } = programs;
  const averaged = programs.averaged();
  const measured = calibration
    ? await recalibrate(calibration, trained, averaged, breathing(context.calibration.epoch(0)), signal)
    : averaged;
  if (!measured) return undefined;
  checkFinite(trained, measured, position, context.recipe);
  const state = programs.whole(measured);
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
    ...(val.averagePrecision ? { valMap: val.averagePrecision.mean } : {}),
    lr,
    weightDecay,
    imagesPerSecond: rate,
    seconds: context.trained(),
  };
}
