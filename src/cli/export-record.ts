/** What `export` found out about a run's files, kept in the run folder (`export.json`) for its report. */
import { readFile } from 'node:fs/promises';
import { type Device, describeDevice } from '../bench/device-node.ts';
import { type Measurement, measure, programSubject } from '../bench/measure.ts';
import { boundedProtocol } from '../bench/protocol.ts';
import type { ModelFile } from '../checkpoint/model-file.ts';
import type { Proof } from '../checkpoint/proof.ts';
import { writeAtomic } from '../checkpoint/store-node.ts';
import type { Tensor } from '../core/tensor.ts';
import type { Engine } from '../engine/engine.ts';
import { hashState } from '../export/onnx/write.ts';
import { withPreprocess } from '../models/preprocess.ts';

export interface ExportedFile {
  /** Path as it was named to the user. */
  readonly path: string;
  readonly bytes: number;
  /** sha256 of the weights in it. */
  readonly weights: string;
  /** The file in its runtime against the fused model. */
  readonly proof: Proof;
}

export interface ExportRecord {
  /** By format; a file that is exported again takes the place of the one before. */
  readonly files: Readonly<Record<string, ExportedFile>>;
  /** Of the fused model with its preprocessing, one uint8 image a run. */
  readonly latency: { readonly rows: readonly Measurement[]; readonly device: Device; readonly protocol: string };
}

/** Time that measuring may take, about. */
const BUDGET_MS = 2000;

/** Measures the latency of a fused model, one image at a time. */
export async function measureLatency(engine: Engine, model: ModelFile): Promise<ExportRecord['latency']> {
  const { size } = model.preprocessing;
  const graph = withPreprocess(model.graph, model.preprocessing);
  const channels = model.config.in_chans;
  const image: Tensor = { shape: [1, size, size, channels], data: new Uint8Array(size * size * channels).fill(128) };
  const options = { dims: { N: 1, H: size, W: size }, feeds: { image } };
  const subject = programSubject('fused', engine, { graph, state: model.state }, options);
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

/** Records a file of a format, beside those of other formats. */
export async function recordExport(
  path: string,
  format: string,
  file: ExportedFile,
  latency: ExportRecord['latency'],
): Promise<void> {
  const before = await readExportRecord(path);
  const record: ExportRecord = { files: { ...before?.files, [format]: file }, latency };
  await writeAtomic(path, `${JSON.stringify(record, null, 2)}\n`);
}
