import { basename } from 'node:path';
import { isHubName, parseHubName } from '../../checkpoint/hub-node.ts';
import type { ModelFile } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import type { Engine } from '../../engine/engine.ts';
import { type Bundle, type BundleOptions, writeBundle } from '../../export/bundle-node.ts';
import { FORMAT_BOUNDS, type Precision } from '../../export/format.ts';
import { FORMATS, formatsNamed } from '../../export/formats-node.ts';
import { describeCheck, sizeText } from '../../export/print-card.ts';
import { type CheckImages, openCheckImages } from '../check-images.ts';
import { EXIT } from '../exit.ts';
import { type ExportRecord, measureLatency, recordExport } from '../export-record.ts';
import { fuseWithProof, proofText } from '../finish-run.ts';
import type { Io } from '../io.ts';
import { openEngine, wholeNumber } from '../open-engine.ts';
import { beside, type OpenedModel, type OpenedRun, openModel } from '../open-model.ts';
import { orWhy } from '../run-report.ts';
import { rewriteReport } from './report.ts';

export interface ExportFlags {
  readonly to?: string | undefined;
  readonly precision?: string | undefined;
  readonly out?: string | undefined;
  readonly images?: string | undefined;
  readonly layout?: string | undefined;
  readonly size?: string | undefined;
  readonly fixedBatch?: true | undefined;
  readonly dynamicSize?: true | undefined;
  /** False: the input is normalized float32. */
  readonly preprocessing: boolean;
  readonly form?: string | undefined;
  readonly withRuntime?: true | undefined;
  /** False: the run's report.html stays as it is. */
  readonly report: boolean;
  readonly title?: string | undefined;
  readonly license?: string | undefined;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

/** A flag that is one of some words; undefined stays undefined. */
function oneOf<T extends string>(flag: string, text: string | undefined, words: readonly T[]): T | undefined {
  if (text === undefined || (words as readonly string[]).includes(text)) return text as T | undefined;
  throw new UserError(`${flag} can't be "${text}".`, `Choose ${words.join(' or ')}.`, 2);
}

/** `mobileone export`: fuses with a proof, writes a bundle, checks each of its files in its runtime on images, and measures latency. */
export async function exportCommand(io: Io, target: string, flags: ExportFlags): Promise<number> {
  const formats = flags.to === undefined ? FORMATS.slice(0, 1) : formatsNamed(flags.to);
  const layout = oneOf('--layout', flags.layout, ['nhwc', 'nchw'] as const);
  const precision = oneOf('--precision', flags.precision, Object.keys(FORMAT_BOUNDS) as Precision[]);
  const form = oneOf('--form', flags.form, ['fused', 'train'] as const);
  const asked = wholeNumber('--size', flags.size, 32);
  const opened = await openModel(target);
  const { run } = opened;
  const size = asked ?? opened.model.preprocessing.size;
  const model = { ...opened.model, preprocessing: { ...opened.model.preprocessing, size } };
  const out = flags.out ?? defaultFolder(target, opened);
  const { preprocessing } = model;
  const images = await openCheckImages(io, opened, { path: flags.images, preprocessing, json: flags.json });
  try {
    const engine = await openEngine({ ...flags, name: flags.engine ?? run?.recipe.engine });
    const shipped = form === 'train' ? model : await fused(engine, model, images);
    const options: BundleOptions = {
      engine,
      formats,
      images: images.generated ? undefined : images.batches(),
      withRuntime: flags.withRuntime,
      ...(layout && { layout }),
      ...(asked && { size: asked }),
      ...(flags.fixedBatch && { dynamicBatch: false }),
      ...(flags.dynamicSize && { dynamicSize: true }),
      ...(!flags.preprocessing && { preprocessing: false }),
      ...(form && { form }),
      ...(precision && { precision }),
      details: {
        ...(run ? { recipe: run.recipe, command: run.meta.commandLine, data: dataOf(run) } : {}),
        ...(flags.title === undefined ? {} : { title: flags.title }),
        ...(flags.license === undefined ? {} : { license: flags.license }),
      },
    };
    const bundle = await writeBundle(out, shipped, options);
    const timed = engine.name === 'wasm' ? engine : await openEngine({ ...flags, name: 'wasm' });
    const latency = await measureLatency(timed, shipped);
    const report = run && form !== 'train' && (await reportOn(io, run, { bundle, latency, flags }));
    if (flags.json) {
      const { folder, files, weights } = bundle;
      io.out(JSON.stringify({ path: folder, files, weights, fusedProof: shipped.proof ?? null, latency }));
      return EXIT.ok;
    }
    printBundle(io, bundle);
    if (shipped.proof) io.out(`fused    ${proofText(shipped.proof)}`);
    const { median, threads } = latency.rows[0]!;
    io.out(
      `latency  ${median.toPrecision(3)} ms an image here (median, ${timed.name}, ${threads} thread${threads > 1 ? 's' : ''})`,
    );
    if (report) io.out('path' in report ? `report   ${report.path}` : `report.html was left as it was. ${report.why}`);
    io.out(`bundle   ${out}  (mobileone verify ${out} repeats the checks)`);
    return EXIT.ok;
  } finally {
    await images.close();
  }
}

/** The fused form, with a proof if it was not fused before. */
async function fused(engine: Engine, model: ModelFile, { batches, generated }: CheckImages): Promise<ModelFile> {
  return model.form === 'fused' ? model : (await fuseWithProof(engine, model, batches(), { generated })).fused;
}

/** `RUN/bundle`, or `MODEL-bundle`; of a model on the hub, in the folder where we are. */
function defaultFolder(target: string, { path, run }: OpenedModel): string {
  if (run) return `${run.files.folder}/bundle`;
  return isHubName(target) ? `${basename(parseHubName(target).repo)}-bundle` : beside(path, '-bundle');
}

/** What a run was trained on, without the folders it lies in. */
const dataOf = ({ meta: { data, images } }: OpenedRun): { name: string; images?: number } => ({
  name: basename(data),
  ...(images === undefined ? {} : { images }),
});

function printBundle(io: Io, { files, card }: Bundle): void {
  for (const [i, file] of files.entries()) {
    const { title, main } = card.exports[i]!;
    io.out(`${main}  ${title}, ${file.precision}, ${sizeText(file.bytes)}`);
    io.out(`  checked on ${describeCheck(file).replace(/^not checked: /, 'nothing: ')}`);
    io.out(`  ${file.input}`);
  }
}

interface Exported {
  readonly bundle: Bundle;
  readonly latency: ExportRecord['latency'];
  readonly flags: ExportFlags;
}

/** Keeps what was found in the run folder and writes the run's report anew. */
async function reportOn(io: Io, { files }: OpenedRun, { bundle, latency, flags }: Exported) {
  await recordExport(files.exports, bundle, latency);
  if (!flags.report) return undefined;
  return await orWhy(rewriteReport(io, files.folder, flags));
}
