/** A folder with everything that someone who ships the model needs: checked before it is written, and written whole or not at all. */
import { join } from 'node:path';
import type { ModelFile } from '../checkpoint/model-file.ts';
import { settleFolder, writeFolder } from '../checkpoint/write-folder-node.ts';
import type { Engine } from '../engine/engine.ts';
import { encodePng } from '../images/encode-node.ts';
import { naturalBatches } from '../images/natural.ts';
import type { ProofBatch } from '../reparam/prove.ts';
import { type BundleProof, type Card, type CardDetails, makeCard } from './card.ts';
import { type Check, type CheckOptions, checkFiles, describeEngine, shippedForm } from './check-files.ts';
import { factsOf, printSums } from './checksums.ts';
import { encodeFiles } from './encode-files.ts';
import type { ExportOptions, Format, Precision } from './format.ts';
import { FORMATS, readersOf } from './formats-node.ts';
import { answerOf, type Golden, type GoldenEntry, type GoldenImage } from './golden.ts';
import { hashState } from './onnx/write.ts';
import { requireReplaceable } from './open-bundle-node.ts';
import { describePreprocessing } from './preprocessing.ts';
import { printCard } from './print-card.ts';
import { copyRuntime } from './readers/runtime-node.ts';

export interface BundleOptions extends ExportOptions, Omit<CheckOptions, 'generated'> {
  /** What to write; default: the first format. */
  readonly formats?: readonly Format[];
  /** The engine whose logits the files must give. */
  readonly engine: Engine;
  /** Real images, uint8 `[N, H, W, C]` of the exported size; default: generated ones, and the card says so. */
  readonly images?: Iterable<ProofBatch> | AsyncIterable<ProofBatch> | undefined;
  /** Copy the runtimes that readers need beside them; default false. */
  readonly withRuntime?: boolean | undefined;
  readonly details?: CardDetails;
}

/** A format's part of a bundle that was written. */
export type BundledFile = {
  readonly format: string;
  /** What a user opens, by its path. */
  readonly path: string;
  readonly precision: Precision;
  /** Of all its files. */
  readonly bytes: number;
  /** What to feed it, in a sentence. */
  readonly input: string;
  /** Hashes by path in the bundle. */
  readonly sha256: Readonly<Record<string, string>>;
} & Check;

export interface Bundle {
  readonly folder: string;
  /** In the order of the formats. */
  readonly files: readonly BundledFile[];
  /** sha256 of the weights. */
  readonly weights: string;
  readonly card: Card;
}

/** How many images are generated where there are no real ones. */
const GENERATED_IMAGES = 64;
const BATCH = 16;

/**
 * Exports a model in one or more formats, checks each file in its runtime, and only then writes the folder (docs/bundle.md).
 * An earlier bundle of that name is replaced in one piece; a folder that holds anything else is refused.
 */
export async function writeBundle(folder: string, model: ModelFile, options: BundleOptions): Promise<Bundle> {
  const {
    engine,
    formats = FORMATS.slice(0, 1),
    details = {},
    size = model.preprocessing.size,
    form = 'fused',
  } = options;
  await settleFolder(folder);
  await requireReplaceable(folder);
  const encoded = await encodeFiles(formats, model, options);
  const sized = { ...model, preprocessing: { ...model.preprocessing, size } };
  const shipped = shippedForm(sized, form);
  const images =
    options.images ?? naturalBatches({ images: GENERATED_IMAGES, batch: BATCH, size, channels: model.config.in_chans });
  const { multiLabel } = model;
  const generated = options.images === undefined;
  const { checks, golden: kept } = await checkFiles(encoded, shipped, { engine, multiLabel }, images, {
    ...options,
    generated,
  });
  const golden: Golden = {
    source: generated ? 'generated' : 'real',
    engine: describeEngine(engine),
    images: kept.map((one, i) => goldenEntry(one, i, model)),
  };

  const files = new Map<string, Uint8Array>();
  const add = (path: string, content: Uint8Array | string): void => {
    if (files.has(path)) throw new Error(`internal error: two files of the bundle are named ${path}`);
    files.set(path, typeof content === 'string' ? new TextEncoder().encode(content) : content);
  };
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const preprocessing = describePreprocessing(
    sized,
    encoded.map(({ exported }) => exported),
  );
  for (const { exported } of encoded) for (const [path, bytes] of exported.files) add(path, bytes);
  add('labels.txt', model.classes.map((name) => `${name.replaceAll(/[\r\n]+/g, ' ')}\n`).join(''));
  add('preprocessing.json', json(preprocessing));
  for (const [i, { image }] of kept.entries()) add(golden.images[i]!.file, await encodePng(image));
  add('golden.json', json(golden));
  const readers = encoded.map(({ format, exported: { main } }) => ({ main, readers: readersOf(format.name) }));
  for (const { main, readers: some } of readers) {
    for (const reader of some) add(`readers/${reader.file}`, reader.text({ main, preprocessing }));
    if (options.withRuntime) for (const [path, bytes] of await copyRuntime(some)) add(`readers/${path}`, bytes);
  }
  const weightsHash = await hashState(shipped.state);
  const proof: BundleProof = {
    fused: model.proof ?? null,
    files: Object.fromEntries(encoded.map(({ exported }, i) => [exported.main, checks[i]!])),
  };
  add('proof.json', json(proof));
  const facts = { graph: shipped.graph, form, size, encoded, proof, golden, weightsHash, files: await factsOf(files) };
  const card = makeCard(model, facts, details);
  add(
    'README.md',
    printCard(
      card,
      readers.flatMap(({ readers: some }) => some),
    ),
  );
  add('card.json', json(card));
  add('SHA256SUMS', printSums(await factsOf(files)));

  await requireReplaceable(folder);
  await writeFolder(folder, files);
  const written = card.exports.map(
    ({ format, main, precision, bytes, input, files: paths }, i): BundledFile => ({
      ...{ format, path: join(folder, main), precision, bytes, input },
      sha256: Object.fromEntries(paths.map((path) => [path, card.files[path]!.sha256])),
      ...checks[i]!,
    }),
  );
  return { folder, files: written, weights: weightsHash, card };
}

function goldenEntry({ logits }: GoldenImage, i: number, { classes, multiLabel }: ModelFile): GoldenEntry {
  return {
    file: `golden/${String(i).padStart(2, '0')}.png`,
    ...answerOf(logits, classes, multiLabel === true),
    // Nine digits are all that a float32 has.
    logits: logits.map((value) => Number(value.toPrecision(9))),
  };
}
