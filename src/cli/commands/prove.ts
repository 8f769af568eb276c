/** `mobileone prove`: that two forms of a model, or a model and an exported file, compute the same. */
import { existsSync } from 'node:fs';
import pc from 'picocolors';
import { requireForm } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import type { Engine } from '../../engine/engine.ts';
import { FORMAT_BOUNDS, type Runner } from '../../export/format.ts';
import { type ExportedFiles, formatOf, readExported } from '../../export/formats-node.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { fuse } from '../../reparam/fuse.ts';
import { branchForm, compareRunners, type FormRunner, formRunner } from '../../reparam/prove.ts';
import { openCheckImages } from '../check-images.ts';
import { EXIT } from '../exit.ts';
import { proofText } from '../finish-run.ts';
import type { Io } from '../io.ts';
import { openEngine, threadCount } from '../open-engine.ts';
import { type OpenedModel, openModel } from '../open-model.ts';

export interface ProveFlags {
  readonly images?: string | undefined;
  readonly bound?: string | undefined;
  /** Which runtime opens an exported file; default: its format's first. */
  readonly runtime?: string | undefined;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

/** What a model is compared with. */
interface Other {
  readonly name: string;
  readonly classes: readonly string[] | undefined;
  /** How it wants images; of a file that does not say: as the model. */
  readonly preprocessing: Preprocessing | undefined;
  readonly bound: number;
  readonly runner: FormRunner;
  readonly description: string;
}

/** Runs both sides on images and prints how far their logits lie apart. Exit code 1 above the bound. */
export async function proveCommand(
  io: Io,
  target: string,
  against: string | undefined,
  flags: ProveFlags,
): Promise<number> {
  const given = flags.bound === undefined ? undefined : Number(flags.bound);
  if (given !== undefined && !(given > 0))
    throw new UserError(`--bound must be a number above 0, got "${flags.bound}".`, '', 2);
  if (formatOf(target))
    throw new UserError(
      `${target} is an exported file, and the model comes first.`,
      `Turn them around: mobileone prove MODEL ${target}`,
      2,
    );
  const opened = await openModel(target);
  const { model, run } = opened;
  const exported = against === undefined ? undefined : await readExported(against);
  if (flags.runtime !== undefined && !exported)
    throw new UserError('--runtime is for exported files, and there is none to compare with.', 'Leave it out.', 2);
  const engine = await openEngine({ ...flags, name: flags.engine ?? run?.recipe.engine });
  const other = exported ? await openFile(exported, engine, flags) : await openForm(opened, against, engine);
  try {
    for (const warning of differing(opened, other)) io.err(`${pc.yellow('warning:')} ${warning}`);
    const preprocessing = other.preprocessing ?? model.preprocessing;
    const images = await openCheckImages(io, opened, { path: flags.images, preprocessing, json: flags.json });
    const own = formRunner(engine, sideOf(engine, model));
    const proof = await compareRunners([own, other.runner], images.batches(), {
      bound: given ?? other.bound,
      generated: images.generated,
      engine: other.description,
    }).finally(async () => {
      await own.dispose();
      await images.close();
    });
    if (flags.json) io.out(JSON.stringify({ model: opened.path, other: other.name, ...proof }));
    else io.out(`${opened.path} against ${other.name}: ${proof.passed ? '' : 'not '}${proofText(proof)}`);
    if (proof.passed) return EXIT.ok;
    throw new UserError(
      `${other.name} does not compute what ${opened.path} computes: the logits differ by up to ${proof.maxLogitDifference.toPrecision(3)}, and the first class differs on ${(100 - proof.top1Agreement).toFixed(2)} % of the images.`,
      'Nothing should be shipped from it. Check that both come from the same checkpoint, then make it again.',
    );
  } finally {
    await other.runner.dispose();
  }
}

/** A model as it is compared: a train form branch by branch, so that no engine checks its own fusing. */
function sideOf(engine: Engine, { graph, state, preprocessing }: OpenedModel['model']) {
  return { graph: withPreprocess(branchForm(engine, graph), preprocessing), state };
}

/** Another form of the model: that in a file, the run's fused file, or what fusing makes of it. */
async function openForm({ model, run }: OpenedModel, against: string | undefined, engine: Engine): Promise<Other> {
  const path = against ?? (run && existsSync(run.files.fused) ? run.files.fused : undefined);
  const common = { bound: FORMAT_BOUNDS.fp32, description: engine.capabilities().description };
  if (path !== undefined) {
    const { model: other } = await openModel(path);
    const { classes, preprocessing } = other;
    return { name: path, classes, preprocessing, runner: formRunner(engine, sideOf(engine, other)), ...common };
  }
  requireForm(model, 'train', 'to prove that fusing changes nothing, unless another file is named to compare with');
  const { classes, preprocessing } = model;
  const side = sideOf(engine, { ...model, ...fuse(model.graph, model.state) });
  return { name: 'its fused form', classes, preprocessing, runner: formRunner(engine, side), ...common };
}

async function openFile({ path, format, files, main }: ExportedFiles, engine: Engine, flags: ProveFlags) {
  if (!format.open)
    throw new UserError(
      `There is no runtime for ${format.title} files on this machine, so ${path} can't be compared.`,
      'Run the golden images of its bundle where it will be used.',
    );
  const threads = threadCount(flags.threads);
  const runner: Runner = await format.open(files, main, {
    ...(flags.runtime === undefined ? {} : { runtime: flags.runtime }),
    ...(threads === undefined ? {} : { threads }),
  });
  const { about } = runner;
  return {
    name: path,
    classes: about?.classes,
    preprocessing: about?.preprocessing,
    bound: FORMAT_BOUNDS[about?.precision ?? 'fp32'],
    runner,
    description: `${runner.description} against ${engine.name}, ${engine.capabilities().description}`,
  };
}

/** What may explain different logits. */
function differing({ model }: OpenedModel, { name, classes, preprocessing }: Other): string[] {
  const same = (a: readonly unknown[], b: readonly unknown[]): boolean =>
    a.length === b.length && a.every((value, i) => value === b[i]);
  return [
    ...(classes && !same(classes, model.classes) ? [`${name} names its classes differently.`] : []),
    ...(preprocessing &&
    !(same(preprocessing.mean, model.preprocessing.mean) && same(preprocessing.std, model.preprocessing.std))
      ? [`${name} normalizes images by another mean or deviation.`]
      : []),
  ];
}
