/**
 * Parquet files as Hugging Face's data sets come: a column of images ({bytes, path}) and one of labels, with the names of
 * the classes in the file's metadata. Images lie inside compressed pages, so they are copied into the cache folder once,
 * a group of rows at a time.
 * Metadata: https://huggingface.co/docs/datasets/about_dataset_features
 */
import { Worker } from 'node:worker_threads';
import { UserError } from '../../core/errors.ts';
import { assemble, type Labeled } from '../assemble.ts';
import { type EncodedPart, type SplitDataset, sampleName } from '../dataset.ts';
import { withFile } from '../read-at-node.ts';
import type { SplitOptions } from '../split.ts';
import { unpackOnce } from '../unpack-node.ts';
import { classNamed, readClassNames } from './class-names-node.ts';
import type { RowGroup } from './parquet-groups-node.ts';
import type { ParquetReply } from './parquet-worker.ts';
import { listShards } from './shards-node.ts';
import type { Source } from './source.ts';

export const PARQUET_NAME: RegExp = /\.parquet$/i;
export async function hasParquet(source: Source): Promise<boolean> {
  return (await listShards(source, PARQUET_NAME)).length > 0;
}

/** Reads the files. Throws a UserError that names the row that is wrong. */
export async function readParquet(source: Source, options: SplitOptions): Promise<SplitDataset> {
  const items: Labeled[] = [];
  const warnings: string[] = [];
  let first: Contents | undefined;
  let classes: readonly string[] | undefined;
  for (const { path, split } of await listShards(source, PARQUET_NAME)) {
    const blob = await unpackOnce(path, (append) => extract(path, append));
    const contents = await readContents(blob);
    first ??= contents;
    classes ??= first.classes ?? (await readClassNames(source.folder));
    if (contents.many !== first.many || String(contents.classes) !== String(first.classes))
      throw new UserError(`"${path}" has other labels or classes than the first file.`, 'Get all files anew.');
    const labeled = contents.rows.filter(([, , labels]) => labels !== null);
    const missing = contents.rows.length - labeled.length;
    if (missing > 0) warnings.push(`${missing} images of "${path}" have no label; they are left out.`);
    for (const [offset, bytes, labels, name] of labeled) {
      const part: EncodedPart = { kind: 'encoded', name, offset, bytes };
      const named = classes ? labels!.map((label) => classNamed(label, classes!)) : labels!;
      items.push({ place: { path: blob, source: path, part }, labels: named, split, name });
    }
  }
  const where = ({ place }: Labeled): string => `"${sampleName(place)}"`;
  const multiLabel = first?.many ?? false;
  const data = assemble({ name: source.file ?? source.folder, items, classes, multiLabel, where }, options);
  return { ...data, warnings: [...warnings, ...data.warnings] };
}

/** What stands behind the images of an unpacked file, as JSON, with its length after it. */
interface Contents {
  readonly classes?: readonly string[] | undefined;
  /** Labels came as lists. */
  readonly many: boolean;
  /** Offset, length, labels (null: there is none) and name of each image. */
  readonly rows: readonly (readonly [number, number, readonly string[] | null, string])[];
}

async function readContents(blob: string): Promise<Contents> {
  return await withFile(blob, (file) => {
    const tail = new DataView(file.read(file.size - 8, 8).buffer);
    const length = Number(tail.getBigUint64(0, true));
    return JSON.parse(new TextDecoder().decode(file.read(file.size - 8 - length, length))) as Contents;
  });
}

async function extract(path: string, append: (bytes: Uint8Array) => Promise<void>): Promise<void> {
  const rows: Contents['rows'][number][] = [];
  let classes: readonly string[] | undefined;
  let many: boolean | undefined;
  let end = 0;
  for await (const group of groupsOf(path)) {
    for (const { bytes, labels, name } of group.rows) {
      rows.push([end, bytes, labels, name]);
      end += bytes;
    }
    many ??= group.many;
    classes = group.classes;
    await append(group.images);
  }
  if (rows.length === 0) throw new UserError(`"${path}" has no rows.`, 'Remove it.');
  const contents: Contents = { classes, many: many ?? false, rows };
  const json = new TextEncoder().encode(JSON.stringify(contents));
  const tail = new DataView(new ArrayBuffer(8));
  tail.setBigUint64(0, BigInt(json.length), true);
  await append(json);
  await append(new Uint8Array(tail.buffer));
}

/** `dist/parquet-worker.js`, seen from a bundle in `dist/` (or beside it) and from this source file. */
const workerUrl = new URL(
  `${import.meta.url.endsWith('.ts') ? '../../..' : '..'}/dist/parquet-worker.js`,
  import.meta.url,
);
/** A group takes seconds; a thread that needs this long, and a second for each 2 MB of the file, is lost. */
const PATIENCE = 20_000;
const BYTES_PER_MS = 2000;
const HEAP_MB = 4096;

/** The groups of a file, read by a thread of their own. */
async function* groupsOf(path: string): AsyncGenerator<RowGroup> {
  const damaged = (why: string): UserError =>
    new UserError(`"${path}" cannot be read as parquet (${why}).`, 'Get the file anew.');
  const patience = PATIENCE + (await withFile(path, ({ size }) => size)) / BYTES_PER_MS;
  const worker = new Worker(workerUrl, { workerData: path, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } });
  let settle: { resolve: (reply: ParquetReply) => void; reject: (error: Error) => void } | undefined;
  worker.on('message', (reply: ParquetReply) => settle?.resolve(reply));
  worker.on('error', (error) => settle?.reject(damaged((error as Error).message)));
  worker.on('exit', () => settle?.reject(damaged('its thread ended')));
  try {
    for (;;) {
      let late: NodeJS.Timeout | undefined;
      const reply = await new Promise<ParquetReply>((resolve, reject) => {
        settle = { resolve, reject };
        late = setTimeout(() => reject(damaged('it takes too long')), patience);
        worker.postMessage('next');
      }).finally(() => clearTimeout(late));
      if ('end' in reply) return;
      if (!('group' in reply)) throw new UserError(reply.message, reply.hint);
      yield reply.group;
    }
  } finally {
    await worker.terminate();
  }
}
