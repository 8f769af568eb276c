/** `mobileone eval --diagnose`: whether the BatchNorm statistics of a model are sound, in plain words. */
import pc from 'picocolors';
import type { Loader } from '../batches/loader-node.ts';
import { type ModelFile, requireForm } from '../checkpoint/model-file.ts';
import { UserError } from '../core/errors.ts';
import type { Dataset } from '../data/dataset.ts';
import type { Evaluation } from '../evaluate/evaluate.ts';
import { withPreprocess } from '../models/preprocess.ts';
import { accuracyOf, diagnose, marginOf, type Outcomes } from '../train/diagnose.ts';
import { evaluateModes, type Mode } from '../train/modes.ts';
import { EXIT } from './exit.ts';
import type { Io } from './io.ts';
import { labeledImages } from './labeled-images.ts';
import type { EngineFlags, Evaluated } from './open-classifier.ts';
import { openEvalLoader, pickSamples } from './open-data.ts';
import { openEngine } from './open-engine.ts';
import { loaderHooks } from './progress.ts';
import { textTable } from './text-table.ts';

interface DiagnoseFlags extends EngineFlags {
  readonly split?: string | undefined;
  readonly batchSize: number;
  readonly corruptions?: true | undefined;
  readonly strict?: true | undefined;
  readonly json?: true | undefined;
}

/** Images for new statistics when no recipe says how many. */
const CALIBRATION_IMAGES = 1024;

const MODES: Readonly<Record<Mode, string>> = {
  train: 'statistics of each batch (train mode)',
  eval: 'stored statistics (evaluation)',
  recalibrated: 'statistics measured anew',
  adapted: 'statistics of the images judged',
};

/** Compares the modes on the images and says what their differences mean. */
export async function diagnoseCommand(
  io: Io,
  evaluated: Evaluated,
  dir: string | undefined,
  flags: DiagnoseFlags,
): Promise<number> {
  const model = trainForm(evaluated);
  if (flags.corruptions)
    throw new UserError('--diagnose and --corruptions are two measurements.', 'Ask for one at a time.', 2);
  const judged = await labeledImages(evaluated, dir, flags.split);
  const { dataset } = judged;
  const source = await calibrationImages(evaluated, dir, flags.split);
  const batch = Math.min(flags.batchSize, dataset.samples.length, source?.samples.length ?? Number.POSITIVE_INFINITY);
  const hooks = loaderHooks(io, flags.json);
  const opened: Loader[] = [];
  const open = async (images: Dataset): Promise<Loader> => {
    const loader = await openEvalLoader(images, batch, model.preprocessing, { ...hooks, strict: flags.strict });
    opened.push(loader);
    return loader;
  };
  try {
    const images = await open(pickSamples(dataset, dataset.samples.length, 0));
    const calibration = source && (await open(source));
    const engine = await openEngine({ ...flags, name: flags.engine ?? evaluated.run?.recipe.engine });
    const modes = await evaluateModes({
      engine,
      graph: withPreprocess(model.graph, model.preprocessing),
      state: model.state,
      classes: model.classes.length,
      size: model.preprocessing.size,
      batch,
      images: () => images.epoch(0),
      calibration: calibration && (() => calibration.epoch(0)),
    });
    report(io, { evaluated, images: judged.description, modes, batch, json: flags.json === true });
    return EXIT.ok;
  } finally {
    for (const loader of opened) await loader.close();
  }
}

function trainForm({ opened, path }: Evaluated): ModelFile {
  if (!opened)
    throw new UserError(
      `${path} has no BatchNorm statistics: they are part of its convolutions.`,
      'Name the run, or the file in train form that it was exported from.',
    );
  requireForm(opened.model, 'train', 'to look at its statistics');
  return opened.model;
}

/** Training images that are not those judged: the run's, or of a folder that holds both apart. */
async function calibrationImages(
  evaluated: Evaluated,
  dir: string | undefined,
  split: string | undefined,
): Promise<Dataset | undefined> {
  const { run } = evaluated;
  const folder = run?.meta.data ?? dir;
  if (folder === undefined || split === 'train' || split === 'all') return undefined;
  const { dataset, apart } = await labeledImages(evaluated, folder, 'train');
  if (!apart) return undefined;
  return pickSamples(dataset, run?.recipe.recalibrate_images || CALIBRATION_IMAGES, run?.recipe.seed ?? 0);
}

interface Diagnosed {
  readonly evaluated: Evaluated;
  readonly images: string;
  readonly modes: Partial<Record<Mode, Evaluation>>;
  readonly batch: number;
  readonly json: boolean;
}

/** The labels of each image; one without any has no right answer and is left out. */
const labelSets = ({ predictions, rows }: Evaluation): (readonly number[])[] =>
  rows ? rows.flatMap(({ labels }) => (labels.length > 0 ? [labels] : [])) : predictions.map(({ label }) => [label]);

/** Whether the first answer is right; where images may have several labels, whether it is one of them. */
function right({ predictions, rows }: Evaluation): boolean[] {
  if (!rows) return predictions.map(({ label, predicted }) => label === predicted);
  return rows.flatMap(({ labels }, at) => (labels.length > 0 ? [labels.includes(predictions[at]!.predicted)] : []));
}

function report(io: Io, { evaluated, images, modes, batch, json }: Diagnosed): void {
  const measured = Object.entries(modes) as [Mode, Evaluation][];
  const outcomes = Object.fromEntries(measured.map(([mode, result]) => [mode, right(result)])) as unknown as Outcomes;
  const { predictions } = modes.eval!;
  const sets = labelSets(modes.eval!);
  const counts = new Map<number, number>();
  for (const label of sets.flat()) counts.set(label, (counts.get(label) ?? 0) + 1);
  const finding = diagnose(outcomes, { guessing: Math.max(...counts.values()) / sets.length, batch });
  if (json) {
    const rows = measured.map(([mode, { loss }]) => [mode, { top1: accuracyOf(outcomes[mode]!), loss }]);
    const { path } = evaluated;
    io.out(
      JSON.stringify({
        model: path,
        data: images,
        images: predictions.length,
        batch,
        modes: Object.fromEntries(rows),
        finding,
      }),
    );
    return;
  }
  io.out(`${evaluated.path} on ${images}: ${predictions.length}, in batches of ${batch}\n`);
  const rows = measured.map(([mode, { loss }]) => [
    MODES[mode],
    `${accuracyOf(outcomes[mode]!).toFixed(1)} ± ${marginOf(outcomes[mode]!).toFixed(1)} %`,
    loss.toFixed(3),
  ]);
  for (const line of textTable([['', modes.eval!.rows ? 'first answer right' : 'top-1', 'loss'], ...rows]))
    io.out(line);
  io.out(`\n${pc.bold(finding.text)}`);
  io.out(finding.advice);
}
