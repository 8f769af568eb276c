import { type ModelFile, modelGraph } from '../../checkpoint/model-file.ts';
import { loadModel, saveModel } from '../../checkpoint/store-node.ts';
import { scoresOf } from '../../checkpoint/training-state.ts';
import { UserError } from '../../core/errors.ts';
import type { EpochMetrics, RunEvent } from '../../core/events.ts';
import type { StateDict } from '../../core/tensor.ts';
import type { Dataset } from '../../data/dataset.ts';
import type { Engine } from '../../engine/engine.ts';
import { mobileOne, VARIANTS } from '../../models/mobileone.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { Diverged } from '../../train/diverged.ts';
import { expand } from '../../train/expand.ts';
import { type RunStore, train } from '../../train/loop.ts';
import type { Teacher } from '../../train/teacher.ts';
import { checkMemory } from '../check-memory.ts';
import { EXIT } from '../exit.ts';
import { explainedText, explainRecipe } from '../explain-recipe.ts';
import { fuseWithProof, proofText, saveFused } from '../finish-run.ts';
import type { Io } from '../io.ts';
import { openLoaders, type RunLoaders, requireImages } from '../open-data.ts';
import { openEngine } from '../open-engine.ts';
import { openTeacher } from '../open-teacher.ts';
import { planNewRun, planResumedRun, type RunPlan, resolveNewRecipe } from '../plan-run.ts';
import { countImages, scoreText, showEvents } from '../progress.ts';
import { makeRunFolder, recordEvents, saveMetrics, savePosition } from '../run-folder.ts';
import { orWhy, writeRunReport } from '../run-report.ts';
import { recordTensorboard } from '../tensorboard.ts';
import type { TrainFlags } from '../train-flags.ts';

/** `mobileone train`: plans the run, trains, fuses with a proof; Ctrl-C saves first. Returns the exit code. */
export async function trainCommand(
  io: Io,
  dir: string | undefined,
  flags: TrainFlags,
  commandLine: string,
): Promise<number> {
  if (flags.explain) {
    if (flags.resume !== undefined)
      throw new UserError('--explain tells of a new run.', "A run's own recipe.yaml has its recipe, with origins.", 2);
    const { resolved, init } = await resolveNewRecipe(flags);
    const fields = await explainRecipe(resolved, init);
    if (flags.json) io.out(JSON.stringify(fields));
    else for (const line of explainedText(fields)) io.out(line);
    return EXIT.ok;
  }
  const plan =
    flags.resume === undefined ? await planNewRun(dir, flags, commandLine) : await planResumedRun(dir, flags);
  const { recipe, files } = plan;
  const engine = await openEngine({ name: recipe.engine, threads: recipe.threads, wide: flags.wide });
  requireImages(plan.data, recipe);
  const show = showEvents(io, flags.json === true, checkMemory(engine, plan));
  const events = eventSink(plan, show, flags.tensorboard !== false);
  const seen = new Set<string>();
  const loaders = await openLoaders(plan.data, recipe, plan.preprocessing, {
    strict: flags.strict,
    onProgress: countImages(io, flags.json === true),
    onWarning: (message) => {
      if (!seen.has(message)) events.emit({ type: 'warning', message });
      seen.add(message);
    },
    onSkip: ({ path, reason }) => {
      if (!seen.has(path)) events.emit({ type: 'skipped', path, reason });
      seen.add(path);
    },
  });
  const { images } = loaders.train;
  if (plan.resume?.images !== undefined && plan.resume.images !== images)
    events.emit({
      type: 'warning',
      message: `The run began with ${plan.resume.images} readable training images, now there are ${images}; it goes on, but differently.`,
    });
  const interruption = listenForInterrupt(io);
  const { signal } = interruption;
  let teacher: Teacher | undefined;
  try {
    teacher = await openTeacher(engine, plan, loaders);
    if (teacher) events.emit({ type: 'note', message: `Learning from ${teacher.description}.` });
    return await runPlan({ io, plan, engine, loaders, teacher, events, signal, json: flags.json === true });
  } catch (error) {
    if (events.recording) recordFailure(events, error);
    if (events.recording && !(error instanceof Diverged))
      io.err(`What was trained until the last checkpoint is kept. To go on: mobileone train --resume ${files.folder}`);
    throw error;
  } finally {
    interruption.stop();
    await teacher?.close();
    await loaders.close();
  }
}

/** Keeps in the run folder why a run ended; where that can't be written either, the error itself says why. */
function recordFailure(events: EventSink, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  try {
    events.emit({ type: 'failed', diverged: error instanceof Diverged, message });
  } catch (again) {
    if (!(again instanceof UserError)) throw again;
  }
}

interface RunContext {
  readonly io: Io;
  readonly plan: RunPlan;
  readonly engine: Engine;
  readonly loaders: RunLoaders;
  readonly teacher: Teacher | undefined;
  readonly events: EventSink;
  readonly signal: AbortSignal;
  readonly json: boolean;
}

async function runPlan({ io, plan, engine, loaders, teacher, events, signal, json }: RunContext): Promise<number> {
  const { recipe, data, files, config, preprocessing, resume } = plan;
  const made: Made = { epochs: resume?.position.metrics ?? [] };
  const store = runStore(plan, engine, loaders.train.images, made);
  const run = train({
    run: files.folder,
    recipe,
    model: withPreprocess(mobileOne(config), preprocessing),
    classes: data.train.classes,
    multiLabel: data.train.multiLabel,
    engine,
    ...loaders,
    trainImages: loaders.train.images,
    valImages: loaders.val.images,
    store,
    teacher,
    classCounts: countLabels(data.train),
    resume,
    initial: plan.expand && !resume ? await branchesOf(plan.expand, { plan, engine, loaders, events }) : plan.initial,
    signal,
  });
  for await (const event of run) {
    if (event.type === 'start') {
      if (resume) await saveMetrics(files, resume.position.metrics);
      else await makeRunFolder(files, plan.recipeText);
      events.record();
      events.emit(event);
      for (const message of plan.warnings) events.emit({ type: 'warning', message });
    } else if (event.type === 'end') {
      const { fused, proof } = await fuseWithProof(engine, made.final!, loaders.val.epoch(0));
      await saveFused(files.fused, files.proof, fused, proof);
      const { images, relativeDifference } = proof;
      events.emit({ type: 'fused', path: files.fused, images, relativeDifference });
      const report = await orWhy(writeRunReport(plan, engine, fused, loaders, made.epochs));
      if ('why' in report) events.emit({ type: 'warning', message: `report.html was left out. ${report.why}` });
      events.emit(event);
      if (!json) sayWhatIsThere(io, plan, event.metrics, proofText(proof));
      if (!json && 'path' in report) io.out(`report ${report.path}`);
    } else {
      events.emit(event);
      if (event.type === 'interrupted') {
        if (!json) io.out(`To go on: mobileone train --resume ${files.folder}`);
        return EXIT.interrupted;
      }
    }
  }
  return EXIT.ok;
}

/** Training images of each class. */
function countLabels({ classes, samples }: Dataset): number[] {
  const counts = classes.map(() => 0);
  for (const { label } of samples) if (label >= 0) counts[label]!++;
  return counts;
}

/** Batches on which the branches' statistics are measured. */
const EXPAND_BATCHES = 8;

/** The weights of a fused model as branches, measured on training images. */
async function branchesOf(
  fused: StateDict,
  { plan, engine, loaders, events }: Pick<RunContext, 'plan' | 'engine' | 'loaders' | 'events'>,
): Promise<StateDict> {
  const { recipe, config, preprocessing } = plan;
  const branches = `${config.num_conv_branches} conv branch${config.num_conv_branches > 1 ? 'es' : ''}`;
  events.emit({
    type: 'note',
    message: `The fused weights are expanded to ${branches} a block, measured on training images.`,
  });
  return await expand(
    {
      engine,
      graph: withPreprocess(mobileOne(config), preprocessing),
      fused,
      batches: loaders.calibration.epoch(0),
      count: EXPAND_BATCHES,
    },
    { seed: recipe.seed },
  );
}

/** What the loop has made so far. */
interface Made {
  final?: ModelFile;
  epochs: readonly EpochMetrics[];
}

function sayWhatIsThere(io: Io, { files }: RunPlan, metrics: EpochMetrics, proof: string): void {
  io.out(`model  ${files.model}  train form, ${scoreText(metrics)} on the validation images`);
  io.out(`fused  ${files.fused}  ${proof}`);
  io.out(`next   mobileone predict ${files.folder} IMAGE…   mobileone export ${files.folder}`);
}

/** Where the loop saves: checkpoints with the plan's facts, models as files. */
function runStore(plan: RunPlan, engine: Engine, images: number, made: Made): RunStore {
  const { recipe, data, files, config, preprocessing, samples, dir, val, exclude, commandLine } = plan;
  const { classes, multiLabel } = data.train;
  const variant = Object.entries(VARIANTS).find(([, own]) => sameArchitecture(own, config))?.[0];
  const common = {
    config,
    ...(variant ? { variant } : {}),
    classes,
    ...(multiLabel ? { multiLabel } : {}),
    preprocessing,
  };
  const { threads } = engine.capabilities();
  const meta = {
    ...common,
    recipe,
    seed: recipe.seed,
    data: dir,
    ...(val === undefined ? {} : { val }),
    ...(exclude === undefined ? {} : { exclude }),
    samples,
    images,
    threads,
    commandLine,
  };
  return {
    checkpoint(state, position) {
      made.epochs = position.metrics;
      return savePosition(files, meta, state, position);
    },
    async model(kind, state: StateDict, epoch) {
      const model: ModelFile = {
        ...common,
        form: 'train',
        graph: modelGraph(config, 'train'),
        state,
        metrics: scoresOf(epoch),
        info: {},
      };
      const path = kind === 'best' ? files.best : files.model;
      await saveModel(path, model);
      if (kind === 'final') made.final = model;
      return path;
    },
    best: async () => (await loadModel(files.best)).state,
  };
}

function sameArchitecture(a: object, b: object): boolean {
  const text = (config: object): string =>
    JSON.stringify({ ...config, num_classes: 0, in_chans: 0 }, Object.keys(config).sort());
  return text(a) === text(b);
}

interface EventSink {
  emit(event: RunEvent): void;
  /** Begins to write events into the run folder, those so far included. */
  record(): void;
  readonly recording: boolean;
}

function eventSink({ files }: RunPlan, show: (event: RunEvent) => void, tensorboard: boolean): EventSink {
  const waiting: RunEvent[] = [];
  let write: ((event: RunEvent) => void) | undefined;
  return {
    emit(event) {
      show(event);
      if (write) write(event);
      else waiting.push(event);
    },
    record() {
      const writers = [recordEvents(files), ...(tensorboard ? [recordTensorboard(files.tensorboard)] : [])];
      write = (event) => {
        for (const one of writers) one(event);
      };
      waiting.splice(0).forEach(write);
    },
    get recording() {
      return write !== undefined;
    },
  };
}

/** The first Ctrl-C asks the loop to save and stop, the second ends the process. */
function listenForInterrupt(io: Io): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const stop = io.onInterrupt((count) => {
    if (count > 1) io.quit(EXIT.interrupted);
    controller.abort();
    io.err('Finishing this step and saving … (once more: quit at once, losing what came after the last checkpoint)');
  });
  return { signal: controller.signal, stop };
}
