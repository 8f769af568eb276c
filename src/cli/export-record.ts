/** What `export` found out about a run's files, kept in the run folder (`export.json`) for its report. */
import { readFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { type Device, describeDevice } from '../bench/device-node.ts';
import { type Measurement, measure, programSubject } from '../bench/measure.ts';
import { boundedProtocol } from '../bench/protocol.ts';
import type { ModelFile } from '../checkpoint/model-file.ts';
import { writeAtomic } from '../checkpoint/store-node.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Engine } from '../engine/engine.ts';
import type { Bundle, BundledFile } from '../export/bundle-node.ts';
import type { Check } from '../export/check-files.ts';
import { hashState } from '../export/onnx/write.ts';
import { expandBranches } from '../graph/passes/branches.ts';
import { withPreprocess } from '../models/preprocess.ts';

export type ExportedFile = Pick<BundledFile, 'path' | 'bytes' | 'precision'> & {
  /** The format as its makers write it. */
  readonly title: string;
  /** sha256 of the weights in it. */
  readonly weights: string;
} & Check;

export interface ExportRecord {
  /** By format; a file that is exported again takes the place of the one before. */
  readonly files: Readonly<Record<string, ExportedFile>>;
  /** Of the model with its preprocessing, one uint8 image a run. */
  readonly latency: { readonly rows: readonly Measurement[]; readonly device: Device; readonly protocol: string };
}

/** Time that measuring may take, about. */
const BUDGET_MS = 2000;

/** Measures the latency of a model, one image at a time; of a train form with all its branches. */
export async function measureLatency(engine: Engine, model: ModelFile): Promise<ExportRecord['latency']> {
  const { size } = model.preprocessing;
  const isFused = model.form === 'fused';
  const graph = withPreprocess(isFused ? model.graph : expandBranches(model.graph), model.preprocessing);
  const channels = model.config.in_chans;
  const image: Tensor = { shape: [1, size, size, channels], data: new Uint8Array(size * size * channels).fill(128) };
  const options = { dims: { N: 1, H: size, W: size }, feeds: { image } };
  const subject = programSubject(
    isFused ? 'fused' : 'train form, branches',
    engine,
    { graph, state: model.state },
    options,
  );
  const [trial] = await measure([subject], { warmup: 2, rounds: 1, runsPerRound: 1, trim: 0 });
  const protocol = boundedProtocol(BUDGET_MS, trial!.mean);
  const { rounds, runsPerRound, warmup, trim } = protocol;
  return {
    rows: await measure([subject], protocol),
    device: describeDevice(),
    protocol: `One image of ${size} px a run, preprocessing included: ${rounds} rounds of ${runsPerRound} runs after ${warmup}, ${trim} cut at either end of each`,
  };
}

/** What is recorded so far; undefined where nothing was exported, or what is there can't be read. */
async function readExportRecord(path: string): Promise<ExportRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as ExportRecord;
  } catch {
    return undefined;
  }
}

/** What is recorded of a model's own weights, and not of those that the run had when it was not yet finished. */
export async function exportsOf(path: string, fused: ModelFile): Promise<ExportRecord | undefined> {
  const record = await readExportRecord(path);
  const weights = record && (await hashState(fused.state));
  const files = Object.entries(record?.files ?? {}).filter(([, file]) => file.weights === weights);
  return record && files.length > 0 ? { ...record, files: Object.fromEntries(files) } : undefined;
}

/** Records the files of a bundle; those of other formats stay, unless they lay in the folder that it has replaced. */
export async function recordExport(
  path: string,
  { folder, files, weights, card }: Bundle,
  latency: ExportRecord['latency'],
): Promise<void> {
  const before = Object.entries((await readExportRecord(path))?.files ?? {});
  const kept = before.filter(([, file]) => !resolve(file.path).startsWith(resolve(folder) + sep));
  const added = files.map((file, i): [string, ExportedFile] => {
    const { format, path, bytes, precision } = file;
    const check: Check = 'proof' in file ? { proof: file.proof } : { unchecked: file.unchecked };
    return [format, { path, title: card.exports[i]!.title, bytes, precision, weights, ...check }];
  });
  const record: ExportRecord = { files: Object.fromEntries([...kept, ...added]), latency };
  await writeAtomic(path, `${JSON.stringify(record, null, 2)}\n`);
}
