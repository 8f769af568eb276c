/** The rows of a parquet file, a group at a time. */
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { UserError } from '../../core/errors.ts';
import { type OpenedFile, withFile } from '../read-at-node.ts';
import { labelText } from './list-file-node.ts';

const IMAGE_COLUMNS = ['image', 'img', 'images', 'picture'];
const LABEL_COLUMNS = ['label', 'labels', 'fine_label', 'class', 'target'];
/** Groups of more rows or bytes would not fit into memory. */
const MOST_ROWS = 2 ** 22;
const MOST_BYTES = 2 ** 31;

export interface RowGroup {
  /** The image files, one after the other. */
  readonly images: Uint8Array<ArrayBuffer>;
  readonly rows: readonly {
    readonly bytes: number;
    /** Names or numbers of its classes; null: it has no label. */
    readonly labels: readonly string[] | null;
    readonly name: string;
  }[];
  /** Labels came as lists; undefined where there are none. */
  readonly many: boolean | undefined;
  readonly classes: readonly string[] | undefined;
}

/** Reads the groups in their order. Throws a UserError for what is no such file. */
export async function readGroups(path: string, use: (group: RowGroup) => Promise<void>): Promise<void> {
  const { parquetMetadataAsync, parquetReadObjects, compressors } = await loadParquet();
  await withFile(path, async (file) => {
    const asBuffer: AsyncBuffer = {
      byteLength: file.size,
      slice: (start, end = file.size) => file.read(start, end - start).buffer as ArrayBuffer,
    };
    const metadata = await reading(file, () => parquetMetadataAsync(asBuffer, { geoparquet: false }));
    const columns = findColumns(file, metadata);
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
      await use(groupOf(file, columns, found, rowStart));
      rowStart = rowEnd;
    }
  });
}

function groupOf(
  file: OpenedFile,
  columns: Columns,
  found: readonly Readonly<Record<string, unknown>>[],
  rowStart: number,
): RowGroup {
  const parts: Uint8Array[] = [];
  let many: boolean | undefined;
  const rows = found.map((row, i) => {
    const name = `row ${rowStart + i}`;
    const label = row[columns.label];
    const image = imageBytes(file, row[columns.image], name);
    parts.push(image);
    if (label !== null && label !== undefined) many ??= Array.isArray(label);
    return { bytes: image.length, labels: labelsOf(file, label, name), name };
  });
  const images = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    images.set(part, at);
    at += part.length;
  }
  return { images, rows, many, classes: columns.classes };
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
