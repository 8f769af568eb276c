/** The three programs of a run: the training step, recalibration, and evaluation of the fused form. */
import { invariant } from '../core/errors.ts';
import type { StateDict } from '../core/tensor.ts';
import { type Engine, loadState, type MemoryPlan, type Program } from '../engine/engine.ts';
import { type Graph, isLearnable } from '../graph/graph.ts';
import { fuseGraph } from '../graph/passes/fuse.ts';
import { initialState } from '../models/init.ts';
import type { Recipe } from '../recipe/recipe.ts';
import { fuse } from '../reparam/fuse.ts';
import { trainStep } from '../step/train-step.ts';
import { calibrationGraph } from './recalibrate.ts';

export interface Programs {
  readonly step: Program;
  /** Undefined when the recipe recalibrates nothing. */
  readonly calibration: Program | undefined;
  readonly evaluation: Program;
  /** Parameters and running statistics of the model as it is to be evaluated: averaged ones if EMA is kept. */
  averaged(): StateDict;
  /** Fuses a state into the evaluation program. */
  writeFused(state: StateDict): void;
  dispose(): Promise<void>;
}

export interface ProgramSizes {
  readonly classes: number;
  readonly evalBatch: number;
  readonly calibrationBatch: number;
}

/** The training step that a recipe asks for. */
export function stepGraph(model: Graph, recipe: Recipe, classes: number): Graph {
  const { optimizer, momentum, nesterov, beta1, beta2, opt_eps: epsilon } = recipe;
  const ema = recipe.ema_decay > 0;
  return trainStep(
    model,
    classes,
    optimizer === 'adamw' ? { optimizer, beta1, beta2, epsilon, ema } : { optimizer, momentum, nesterov, ema },
  );
}

/** Plans the training step of a recipe without allocating it; undefined for engines that can't tell beforehand. */
export function planStep(engine: Engine, model: Graph, recipe: Recipe, classes: number): MemoryPlan | undefined {
  const { batch_size: N, size, threads } = recipe;
  const options = { dims: { N, H: size, W: size }, ...(threads === null ? {} : { threads }) };
  return engine.plan?.(stepGraph(model, recipe, classes), options);
}

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
  const compile = async (graph: Graph, batch: number): Promise<Program> => {
    const options = recipe.threads === null ? {} : { threads: recipe.threads };
    const program = await engine.compile(graph, { ...options, dims: { N: batch, H: recipe.size, W: recipe.size } });
    opened.push(program);
    return program;
  };
  const dispose = async (): Promise<void> => {
    for (const program of opened.splice(0)) await program.dispose();
  };
  try {
    const ema = recipe.ema_decay > 0;
    const step = await compile(stepGraph(model, recipe, sizes.classes), recipe.batch_size);
    const calibrate = recipe.recalibrate_images > 0;
    const calibration = calibrate ? await compile(calibrationGraph(model), sizes.calibrationBatch) : undefined;
    const evaluation = await compile(fuseGraph(model), sizes.evalBatch);
    const { resume, initial = new Map() } = start;
    const missing = loadState(step, resume?.state ?? startingState(model, recipe.seed, ema, initial));
    invariant(
      missing.every((name) => !resume && name.includes(':') && !name.startsWith('ema:')),
      `the state lacks ${missing[0]}`,
    );
    return {
      step,
      calibration,
      evaluation,
      averaged: () => averagedState(step, model, ema),
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

function startingState(model: Graph, seed: number, ema: boolean, initial: StateDict): StateDict {
  const state = new Map([...initialState(model, seed), ...initial]);
  if (!ema) return state;
  const learnable = [...state].filter(([name]) => isLearnable(model.params[name]!));
  return new Map([...state, ...learnable.map(([name, value]) => [`ema:${name}`, value] as const)]);
}

function averagedState(step: Program, model: Graph, ema: boolean): StateDict {
  return new Map(
    Object.entries(model.params).map(([name, spec]) => [
      name,
      step.read(ema && isLearnable(spec) ? `ema:${name}` : name),
    ]),
  );
}
