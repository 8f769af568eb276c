import { UserError } from '../../core/errors.ts';
import { type Bundle, type BundleOptions, writeBundle } from '../../export/bundle-node.ts';
import { openCheckImages } from '../check-images.ts';
import { EXIT } from '../exit.ts';
import { type ExportRecord, measureLatency, recordExport } from '../export-record.ts';
import { fuseWithProof, proofText } from '../finish-run.ts';
import type { Io } from '../io.ts';
import { openEngine, wholeNumber } from '../open-engine.ts';
import { type OpenedRun, openModel } from '../open-model.ts';
import { orWhy } from '../run-report.ts';
import { rewriteReport } from './report.ts';

export interface ExportFlags {
  readonly format: string;
  readonly out?: string | undefined;
  readonly images?: string | undefined;
  readonly layout: string;
  readonly size?: string | undefined;
  readonly fixedBatch?: true | undefined;
  /** False: the input is normalized float32. */
  readonly preprocessing: boolean;
  /** False: the run's report.html stays as it is. */
  readonly report: boolean;
  readonly license?: string | undefined;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

/** `mobileone export`: fuses with a proof, writes a bundle, checks its file in ONNX Runtime on real images, and measures latency. */
export async function exportCommand(io: Io, target: string, flags: ExportFlags): Promise<number> {
  if (flags.format !== 'onnx') throw new UserError(`There is no format "${flags.format}".`, 'Choose onnx.', 2);
  const { layout } = flags;
  if (layout !== 'nhwc' && layout !== 'nchw')
    throw new UserError(`There is no layout "${layout}".`, 'Choose nhwc or nchw.', 2);
  const opened = await openModel(target);
  const { run } = opened;
  const size = wholeNumber('--size', flags.size, 32) ?? opened.model.preprocessing.size;
  const model = { ...opened.model, preprocessing: { ...opened.model.preprocessing, size } };
  const out =
    flags.out ?? (run ? `${run.files.folder}/export-onnx` : opened.path.replace(/(\.safetensors)?$/, '-onnx'));
  const { preprocessing } = model;
  const images = await openCheckImages(io, opened, { path: flags.images, preprocessing, json: flags.json });
  const { generated } = images;
  try {
    const engine = await openEngine({ ...flags, name: flags.engine ?? run?.recipe.engine });
    const shipped =
      model.form === 'train' ? (await fuseWithProof(engine, model, images.batches(), { generated })).fused : model;
    const options: BundleOptions = {
      engine,
      images: images.batches(),
      generated,
      layout,
      size,
      dynamicBatch: !flags.fixedBatch,
      preprocessing: flags.preprocessing,
      details: {
        ...(run ? { recipe: run.recipe, command: run.meta.commandLine } : {}),
        ...(flags.license === undefined ? {} : { license: flags.license }),
      },
    };
    const bundle = await writeBundle(out, shipped, options);
    const timed = engine.name === 'wasm' ? engine : await openEngine({ ...flags, name: 'wasm' });
    const latency = await measureLatency(timed, { ...shipped, preprocessing: model.preprocessing });
    const report = run && (await reportOn(io, run, { bundle, format: flags.format, latency, flags }));
    if (flags.json) {
      const { model: path, bytes, proof, card } = bundle;
      io.out(JSON.stringify({ path, bytes, proof, fusedProof: shipped.proof ?? null, sha256: card.sha256, latency }));
      return EXIT.ok;
    }
    if (shipped.proof) io.out(`fused         ${proofText(shipped.proof)}`);
    io.out(`onnx runtime  ${proofText(bundle.proof)}`);
    io.out(`${bundle.model}  ${(bundle.bytes / 1e6).toFixed(2)} MB`);
    const { median, threads } = latency.rows[0]!;
    io.out(
      `latency       ${median.toPrecision(3)} ms an image here (median, ${timed.name}, ${threads} thread${threads > 1 ? 's' : ''})`,
    );
    io.out(bundle.card.input);
    if (report) io.out('path' in report ? `report ${report.path}` : `report.html was left as it was. ${report.why}`);
    return EXIT.ok;
  } finally {
    await images.close();
  }
}

interface Exported {
  readonly bundle: Bundle;
  readonly format: string;
  readonly latency: ExportRecord['latency'];
  readonly flags: ExportFlags;
}

/** Keeps what was found in the run folder and writes the run's report anew. */
async function reportOn(io: Io, { files }: OpenedRun, { bundle, format, latency, flags }: Exported) {
  const { model: path, bytes, exported, proof } = bundle;
  await recordExport(files.exports, format, { path, bytes, weights: exported.weightsHash, proof }, latency);
  if (!flags.report) return undefined;
  return await orWhy(rewriteReport(io, files.folder, flags));
}
