/** The three programs of a run: the training step, recalibration, and evaluation of the fused form. */
import { invariant } from '../core/errors.ts';
import type { StateDict } from '../core/tensor.ts';
import { type Engine, loadState, type MemoryPlan, type Program, readState } from '../engine/engine.ts';
import { type Graph, isLearnable, type Node } from '../graph/graph.ts';
import { freezeNodes } from '../graph/passes/freeze.ts';
import { fuseGraph } from '../graph/passes/fuse.ts';
import { initialState } from '../models/init.ts';
import { STAGES, stageOf } from '../models/mobileone.ts';
import { microBatchSize, type Recipe } from '../recipe/recipe.ts';
import { fuse } from '../reparam/fuse.ts';
import { CROSS_ENTROPY, type LossOptions } from '../step/losses.ts';
import type { OptimizerOptions } from '../step/optimizers.ts';
import { trainStep } from '../step/train-step.ts';
import { calibrationGraph } from './recalibrate.ts';

export interface Programs {
  /** The training step, for images of one size. */
  readonly step: Program;
  /** Compiles the step for images of another size, its state carried over to the bit. */
  resizeStep(size: number): Promise<void>;
  /** The model as it is trained: frozen parts are fused. */
  readonly trained: Graph;
  /** Undefined when the recipe recalibrates nothing, or nothing that is trained has statistics. */
  readonly calibration: Program | undefined;
  readonly evaluation: Program;
  /** All that resuming needs, under the names of the whole train form. */
  state(): StateDict;
  /** Parameters and running statistics of `trained` as they are to be evaluated: averaged ones if EMA is kept. */
  averaged(): StateDict;
  /** A state of `trained` as one of the whole train form. */
  whole(state: StateDict): StateDict;
  /** Fuses a state of the whole train form into the evaluation program. */
  writeFused(state: StateDict): void;
  dispose(): Promise<void>;
}

export interface ProgramSizes {
  readonly classes: number;
  /** Side of the images that training begins with; evaluation is at the recipe's. */
  readonly trainSize: number;
  readonly evalBatch: number;
  readonly calibrationBatch: number;
}

/** Whether a recipe leaves a node as it is. */
const isFrozen =
  ({ freeze_stages }: Recipe) =>
  ({ name }: Node): boolean =>
    stageOf(name) < freeze_stages;

function lossOf({ loss, teacher, distill, distill_alpha: alpha, distill_temperature }: Recipe): LossOptions {
  if (loss === 'bce') return { kind: 'BinaryCrossEntropyLoss' };
  if (teacher === null) return CROSS_ENTROPY;
  const common = { hard: 1 - alpha, temperature: distill_temperature };
  const attrs =
    distill === 'soft'
      ? ({ ...common, form: 'soft', soft: alpha } as const)
      : ({ ...common, form: 'dist', inter: alpha, intra: alpha } as const);
  return { kind: 'DistillationLoss', attrs };
}

function optimizerOf({ optimizer, momentum, nesterov, beta1, beta2, opt_eps: epsilon }: Recipe): OptimizerOptions {
  return optimizer === 'adamw' ? { optimizer, beta1, beta2, epsilon } : { optimizer, momentum, nesterov };
}

/** Learning rate of a part of the network as a multiple of `lr`. */
function rateOf({ layer_decay, head_lr_scale }: Recipe, stage: number): number {
  const behind = STAGES - 1 - stage;
  return behind === 0 ? head_lr_scale : layer_decay ** behind;
}

/** The training step that a recipe asks for, of a model in train form. */
export function stepGraph(model: Graph, recipe: Recipe, classes: number): Graph {
  const { clip_grad } = recipe;
  const trained = recipe.freeze_stages > 0 ? freezeNodes(model, isFrozen(recipe)) : model;
  return trainStep(trained, classes, {
    ...optimizerOf(recipe),
    ema: recipe.ema_decay > 0,
    loss: lossOf(recipe),
    freezeBn: recipe.freeze_bn,
    accumulate: microBatchSize(recipe) < recipe.batch_size,
    ...(clip_grad > 0 ? { clipGrad: clip_grad } : {}),
    lrScale: (param) => rateOf(recipe, stageOf(param)),
  });
}

/** Plans the training step of a recipe, at its full size, without allocating it; undefined for engines that can't tell beforehand. */
export function planStep(engine: Engine, model: Graph, recipe: Recipe, classes: number): MemoryPlan | undefined {
  const { size, threads } = recipe;
  const dims = { N: microBatchSize(recipe), H: size, W: size };
  return engine.plan?.(stepGraph(model, recipe, classes), { dims, ...(threads === null ? {} : { threads }) });
}

/** What an update keeps only while it is under way. */
const isTransient = (name: string): boolean => name.startsWith('grad_sum:');

/**
 * Compiles the programs of a run. `model` takes uint8 `image` (`withPreprocess`) and is in train form. The state is the
 * checkpoint's, or `initial` over values drawn from the recipe's seed; the moving average begins at those.
 */
export async function compilePrograms(
  engine: Engine,
  model: Graph,
  recipe: Recipe,
  sizes: ProgramSizes,
  start: { readonly resume?: { readonly state: StateDict } | undefined; readonly initial?: StateDict | undefined },
): Promise<Programs> {
  const opened: Program[] = [];
  const compile = async (graph: Graph, batch: number, size = recipe.size): Promise<Program> => {
    const options = recipe.threads === null ? {} : { threads: recipe.threads };
    const program = await engine.compile(graph, { ...options, dims: { N: batch, H: size, W: size } });
    opened.push(program);
    return program;
  };
  const dispose = async (): Promise<void> => {
    for (const program of opened.splice(0)) await program.dispose();
  };
  try {
    const ema = recipe.ema_decay > 0;
    const frozen = isFrozen(recipe);
    const trained = recipe.freeze_stages > 0 ? freezeNodes(model, frozen) : model;
    const training = stepGraph(model, recipe, sizes.classes);
    let { trainSize } = sizes;
    let step = await compile(training, microBatchSize(recipe), trainSize);
    const { recalibrate_images, freeze_bn } = recipe;
    const calibrate = recalibrate_images > 0 && !freeze_bn && trained.nodes.some(({ kind }) => kind === 'RepConv');
    const calibration = calibrate ? await compile(calibrationGraph(trained), sizes.calibrationBatch) : undefined;
    const evaluation = await compile(fuseGraph(model), sizes.evalBatch);

    const { resume, initial = new Map() } = start;
    const given = resume?.state ?? new Map([...initialState(model, recipe.seed), ...initial]);
    const begun = new Map([...given, ...fuse(model, given, frozen).state]);
    const missing = loadState(step, resume ? begun : withAverages(begun, trained, ema));
    invariant(
      missing.every((name) => isTransient(name) || (!resume && name.includes(':') && !name.startsWith('ema:'))),
      `the state lacks ${missing[0]}`,
    );
    const parts = [...given].filter(([name]) => name in model.params && !(name in trained.params));
    const whole = (state: StateDict): StateDict =>
      new Map([...parts, ...[...state].filter(([name]) => !(name in trained.params) || name in model.params)]);
    const kept = step.stateNames.filter((name) => !isTransient(name) && !isMade(name, trained, model));
    return {
      get step() {
        return step;
      },
      async resizeStep(size) {
        if (size === trainSize) return;
        const state = readState(step);
        opened.splice(opened.indexOf(step), 1);
        await step.dispose(); // before the next one is made: memory need not hold two
        step = await compile(training, microBatchSize(recipe), size);
        loadState(step, state);
        trainSize = size;
      },
      trained,
      calibration,
      evaluation,
      state: () => new Map([...parts, ...readState(step, kept)]),
      averaged: () => averagedState(step, trained, ema),
      whole,
      writeFused(state) {
        for (const [name, value] of fuse(model, state).state) evaluation.write(name, value);
      },
      dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** Whether a name belongs to a convolution that freezing has made. */
function isMade(name: string, trained: Graph, model: Graph): boolean {
  const param = name.slice(name.indexOf(':') + 1);
  return param in trained.params && !(param in model.params);
}

/** A starting state with the moving averages, which begin at the parameters. */
function withAverages(state: StateDict, trained: Graph, ema: boolean): StateDict {
  if (!ema) return state;
  const learnable = Object.keys(trained.params).filter((name) => isLearnable(trained.params[name]!));
  return new Map([...state, ...learnable.map((name) => [`ema:${name}`, state.get(name)!] as const)]);
}

function averagedState(step: Program, trained: Graph, ema: boolean): StateDict {
  return new Map(
    Object.entries(trained.params).map(([name, spec]) => [
      name,
      step.read(ema && isLearnable(spec) ? `ema:${name}` : name),
    ]),
  );
}
