/**
 * Parquet files as Hugging Face's data sets come: a column of images ({bytes, path}) and one of labels, with the names of
 * the classes in the file's metadata. Images lie inside compressed pages, so they are copied into the cache folder once,
 * a group of rows at a time.
 * Metadata: https://huggingface.co/docs/datasets/about_dataset_features
 */
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { UserError } from '../../core/errors.ts';
import { assemble, type Labeled } from '../assemble.ts';
import { type EncodedPart, type SplitDataset, sampleName } from '../dataset.ts';
import { type OpenedFile, withFile } from '../read-at-node.ts';
import type { SplitOptions } from '../split.ts';
import { unpackOnce } from '../unpack-node.ts';
import { classNamed, readClassNames } from './class-names-node.ts';
import { labelText } from './list-file-node.ts';
import { listShards } from './shards-node.ts';
import type { Source } from './source.ts';

export const PARQUET_NAME: RegExp = /\.parquet$/i;
const IMAGE_COLUMNS = ['image', 'img', 'images', 'picture'];
const LABEL_COLUMNS = ['label', 'labels', 'fine_label', 'class', 'target'];
/** Groups of more rows or bytes would not fit into memory. */
const MOST_ROWS = 2 ** 22;
const MOST_BYTES = 2 ** 31;

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
  const { parquetMetadataAsync, parquetReadObjects, compressors } = await loadParquet();
  await withFile(path, async (file) => {
    const rows: Contents['rows'][number][] = [];
    const asBuffer: AsyncBuffer = {
      byteLength: file.size,
      slice: (start, end = file.size) => file.read(start, end - start).buffer as ArrayBuffer,
    };
    const metadata = await reading(file, () => parquetMetadataAsync(asBuffer, { geoparquet: false }));
    const columns = findColumns(file, metadata);
    let many: boolean | undefined;
    let end = 0;
    let rowStart = 0;
    for (const group of metadata.row_groups) {
      const rowEnd = rowStart + Number(group.num_rows);
      checkGroup(file, group, rowEnd - rowStart);
      const found = await reading(file, () =>
        parquetReadObjects({
          file: asBuffer,
          metadata,
          columns: [columns.image, columns.label],
          rowStart,
          rowEnd,
          utf8: false,
          compressors,
        }),
      );
      if (found.length !== rowEnd - rowStart) throw file.wrong('is damaged');
      for (const [i, row] of found.entries()) {
        const label = row[columns.label] as unknown;
        many ??= label === null || label === undefined ? undefined : Array.isArray(label);
        const name = `row ${rowStart + i}`;
        const bytes = imageBytes(file, row[columns.image], name);
        rows.push([end, bytes.length, labelsOf(file, label, name), name]);
        end += bytes.length;
        await append(bytes);
      }
      rowStart = rowEnd;
    }
    if (rows.length === 0) throw file.wrong('has no rows', 'Remove it.');
    const contents: Contents = { classes: columns.classes, many: many ?? false, rows };
    const json = new TextEncoder().encode(JSON.stringify(contents));
    const tail = new DataView(new ArrayBuffer(8));
    tail.setBigUint64(0, BigInt(json.length), true);
    await append(json);
    await append(new Uint8Array(tail.buffer));
  });
}

async function loadParquet() {
  try {
    const [reader, { compressors }] = await Promise.all([import('hyparquet'), import('hyparquet-compressors')]);
    return { ...reader, compressors };
  } catch {
    throw new UserError(
      'Reading parquet files needs the packages hyparquet and hyparquet-compressors, which are not installed.',
      'Install them: npm install hyparquet hyparquet-compressors',
    );
  }
}

/** Runs a part of the parquet reader, which trusts the file: whatever it throws is the file's fault. */
async function reading<T>(file: OpenedFile, part: () => Promise<T>): Promise<T> {
  try {
    return await part();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw file.wrong(`cannot be read as parquet (${(error as Error).message.split('\n')[0]})`);
  }
}

function checkGroup(file: OpenedFile, group: FileMetaData['row_groups'][number], rows: number): void {
  const sizes = group.columns.map(({ meta_data }) => Number(meta_data?.total_uncompressed_size ?? 0));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  if (!(rows >= 0 && bytes >= 0)) throw file.wrong('is damaged');
  if (rows > MOST_ROWS || bytes > MOST_BYTES)
    throw file.wrong(
      `has a group of ${rows} rows and ${(bytes / 2 ** 30).toFixed(1)} GiB, more than fits into memory`,
      'Write it with smaller row groups.',
    );
}

interface Feature {
  readonly _type?: string;
  readonly names?: readonly string[];
  readonly feature?: Feature;
}

interface Columns {
  readonly image: string;
  readonly label: string;
  readonly classes: readonly string[] | undefined;
}

function findColumns(file: OpenedFile, metadata: FileMetaData): Columns {
  const names = topLevelNames(metadata);
  const features = featuresOf(metadata);
  const classesOf = (name: string): readonly string[] | undefined => {
    const feature = features[name];
    const own = Array.isArray(feature) ? (feature[0] as Feature) : (feature?.feature ?? feature);
    const classes = own?._type === 'ClassLabel' ? own.names : undefined;
    return Array.isArray(classes) && classes.every((one) => typeof one === 'string') ? classes : undefined;
  };
  const image =
    names.find((name) => features[name]?._type === 'Image') ?? IMAGE_COLUMNS.find((name) => names.includes(name));
  const label = LABEL_COLUMNS.find((name) => names.includes(name)) ?? names.find((name) => classesOf(name));
  if (image === undefined || label === undefined)
    throw file.wrong(
      `has no column of ${image === undefined ? 'images' : 'labels'}; there are ${names.slice(0, 10).join(', ')}`,
      'The columns are called "image" and "label".',
    );
  return { image, label, classes: classesOf(label) };
}

/** Names of the columns: the children of the schema's root, each passed over with what is inside it. */
function topLevelNames({ schema }: FileMetaData): string[] {
  const names: string[] = [];
  let skip = 0;
  for (const { name, num_children } of schema.slice(1)) {
    if (skip === 0) names.push(name);
    else skip--;
    skip += num_children ?? 0;
  }
  return names;
}

function featuresOf({ key_value_metadata }: FileMetaData): Readonly<Record<string, Feature | undefined>> {
  const text = key_value_metadata?.find(({ key }) => key === 'huggingface')?.value;
  try {
    return (JSON.parse(text ?? '{}') as { info?: { features?: Record<string, Feature> } }).info?.features ?? {};
  } catch {
    return {};
  }
}

function imageBytes(file: OpenedFile, cell: unknown, name: string): Uint8Array {
  if (cell instanceof Uint8Array) return cell;
  const { bytes, path } = (cell ?? {}) as { bytes?: unknown; path?: unknown };
  if (bytes instanceof Uint8Array) return bytes;
  const why = typeof path === 'string' ? `only the path "${path.slice(0, 80)}", not the image` : 'no image';
  throw new UserError(`"${file.path}:${name}" holds ${why}.`, 'Get a copy of the data set with the images in it.');
}

/** Labels as text; null where there is none, which Hugging Face also writes as −1. */
function labelsOf(file: OpenedFile, cell: unknown, name: string): string[] | null {
  if (cell === null || cell === undefined || Number(cell) === -1) return null;
  return (Array.isArray(cell) ? cell : [cell]).map((one: unknown) => {
    const label = labelText(one);
    if (label) return label;
    throw new UserError(`"${file.path}:${name}" has a label that is no text and no whole number.`, '');
  });
}
