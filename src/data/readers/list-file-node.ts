/** Files that list images: CSV, TSV and JSONL with named columns, or plain text with a path on each line. */
import { readFile, stat } from 'node:fs/promises';
import { closestMatch, UserError } from '../../core/errors.ts';
import { type SplitName, splitNamed } from '../split.ts';
import { CsvError, type CsvRow, delimiterOf, parseCsv } from './csv.ts';

/** Names of lists with columns. */
export const LIST_NAME: RegExp = /\.(csv|tsv|jsonl|ndjson)$/i;

export interface ListRow {
  readonly line: number;
  /** The image as the list names it. */
  readonly image: string;
  /** Undefined in a list without labels. */
  readonly labels?: readonly string[];
  readonly split?: SplitName;
}

export interface ImageList {
  readonly path: string;
  readonly rows: readonly ListRow[];
  readonly labeled: boolean;
  readonly multiLabel: boolean;
  readonly hasSplits: boolean;
}

const IMAGE_COLUMNS = ['path', 'image', 'file', 'filename', 'file_name', 'filepath', 'image_path'];
const LABEL_COLUMNS = ['label', 'class', 'target'];
const MANY_COLUMN = 'labels';
const SPLIT_COLUMN = 'split';
const KNOWN = [...IMAGE_COLUMNS, ...LABEL_COLUMNS, MANY_COLUMN, SPLIT_COLUMN];
const MOST_BYTES = 2 ** 28;

/** The error for a line of a list. */
export function wrongLine(path: string, line: number, why: string, hint: string): UserError {
  return new UserError(`"${path}", line ${line}: ${why}.`, hint);
}

/** Reads a list. Throws a UserError that names the line that is wrong. */
export async function readList(path: string): Promise<ImageList> {
  const text = await readText(path);
  const { rows, columns } = /\.(jsonl|ndjson)$/i.test(path)
    ? jsonRows(path, text)
    : LIST_NAME.test(path)
      ? csvRows(path, text)
      : plainRows(text);
  if (rows.length === 0) throw new UserError(`"${path}" lists no images.`, 'Add a line for each image.');
  const multiLabel = columns.many !== undefined;
  return {
    path,
    rows,
    multiLabel,
    labeled: multiLabel || columns.label !== undefined,
    hasSplits: columns.split !== undefined,
  };
}

async function readText(path: string): Promise<string> {
  const wrong = (why: string, hint: string): UserError => new UserError(`"${path}" ${why}.`, hint);
  const cannot = (error: NodeJS.ErrnoException): never => {
    throw wrong(`cannot be read (${error.code})`, 'Check the path and the permissions.');
  };
  if ((await stat(path).catch(cannot)).size > MOST_BYTES)
    throw wrong(`has more than ${MOST_BYTES / 2 ** 20} MiB, too much for a list`, 'Check that it is a list of images.');
  const bytes = await readFile(path).catch(cannot);
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe;
  try {
    const text = new TextDecoder(utf16 ? 'utf-16le' : 'utf-8', { fatal: true }).decode(bytes);
    if (!text.includes('\0')) return text;
  } catch {}
  throw wrong('is no text in UTF-8', 'Save it as UTF-8, or check that it is a list of images.');
}

interface Columns {
  readonly image: string;
  readonly label?: string | undefined;
  readonly many?: string | undefined;
  readonly split?: string | undefined;
}

interface Rows {
  readonly rows: readonly ListRow[];
  readonly columns: Columns;
}

/** Which column is which, whatever their case. */
function findColumns(path: string, line: number, names: readonly string[]): Columns {
  const find = (wanted: readonly string[]): string | undefined => {
    const found = names.filter((name) => wanted.includes(name.trim().toLowerCase()));
    if (found.length > 1)
      throw wrongLine(path, line, `both "${found[0]}" and "${found[1]}" could be meant`, 'Keep or rename one of them.');
    return found[0];
  };
  const image = find(IMAGE_COLUMNS);
  if (image === undefined) {
    const shown = names.slice(0, 8).map((name) => `"${name.slice(0, 40)}"`);
    const near = names.map((name) => closestMatch(name, KNOWN)).find((name) => name !== undefined);
    throw wrongLine(
      path,
      line,
      `no column names the images; there are ${shown.join(', ')}`,
      `${near ? `Did you mean "${near}"? ` : ''}Call the column of paths "path" and that of classes "label" (or "labels" for several each).`,
    );
  }
  const [label, many] = [find(LABEL_COLUMNS), find([MANY_COLUMN])];
  if (label !== undefined && many !== undefined)
    throw wrongLine(path, line, `both "${label}" and "${many}" could be meant`, 'Keep or rename one of them.');
  return { image, label, many, split: find([SPLIT_COLUMN]) };
}

function csvRows(path: string, text: string): Rows {
  const delimiter = /\.tsv$/i.test(path) ? '\t' : delimiterOf(text);
  const separator = delimiter === ';' ? /\|/ : /[|;]/;
  const rows: ListRow[] = [];
  let columns: Columns | undefined;
  let header: readonly string[] = [];
  const add = ({ line, cells }: CsvRow): void => {
    if (!columns) {
      header = cells;
      columns = findColumns(path, line, cells);
      return;
    }
    if (cells.length !== header.length)
      throw wrongLine(
        path,
        line,
        `there are ${cells.length} cells, but ${header.length} columns`,
        'A cell that holds the delimiter must stand in quotes.',
      );
    const cell = (name: string | undefined): string | undefined =>
      name === undefined ? undefined : cells[header.indexOf(name)]!.trim();
    const one = cell(columns.label);
    const many = cell(columns.many)
      ?.split(separator)
      .map((label) => label.trim())
      .filter((label) => label !== '');
    rows.push(makeRow(path, line, cell(columns.image)!, one === undefined ? many : [one], cell(columns.split)));
  };
  try {
    for (const row of parseCsv(text, delimiter)) add(row);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw wrongLine(path, error.line, error.message, 'Inside quotes a quote is written twice.');
  }
  return { rows, columns: columns ?? { image: '' } };
}

function jsonRows(path: string, text: string): Rows {
  const rows: ListRow[] = [];
  let columns: Columns | undefined;
  text.split(/\r\n|\n|\r/).forEach((json, i) => {
    if (json.trim() === '') return;
    const line = i + 1;
    const bad = (why: string): UserError =>
      wrongLine(path, line, why, 'Each line is an object such as {"path": "a.jpg", "label": "cat"}.');
    const row = parseObject(json);
    if (!row) throw bad('there is no JSON object');
    columns ??= findColumns(path, line, Object.keys(row));
    const value = (name: string | undefined): string | undefined => {
      if (name === undefined) return undefined;
      const found = labelText(row[name]);
      if (found === undefined) throw bad(`"${name}" is no text and no whole number`);
      return found;
    };
    const one = value(columns.label);
    let many: string[] | undefined;
    if (columns.many !== undefined) {
      const list = row[columns.many];
      if (!Array.isArray(list)) throw bad(`"${columns.many}" is no array`);
      many = list.map((item) => {
        const label = labelText(item);
        if (label === undefined) throw bad(`"${columns!.many}" holds what is no text and no whole number`);
        return label;
      });
    }
    rows.push(makeRow(path, line, value(columns.image)!, one === undefined ? many : [one], value(columns.split)));
  });
  return { rows, columns: columns ?? { image: '' } };
}

function parseObject(json: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value = JSON.parse(json) as unknown;
    return value !== null && typeof value === 'object' && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

/** A label of JSON as text: a name, or a class's number. */
export function labelText(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim();
  return typeof value === 'bigint' || Number.isSafeInteger(value) ? String(value) : undefined;
}

function plainRows(text: string): Rows {
  const rows = text
    .split(/\r\n|\n|\r/)
    .map((line, i): ListRow => ({ line: i + 1, image: line.trim() }))
    .filter(({ image }) => image !== '');
  return { rows, columns: { image: '' } };
}

function makeRow(
  path: string,
  line: number,
  image: string,
  labels: readonly string[] | undefined,
  split: string | undefined,
): ListRow {
  if (image === '') throw wrongLine(path, line, 'the path is empty', 'Each line names an image.');
  if (/^[a-z][\w+.-]+:\/\//i.test(image))
    throw wrongLine(path, line, `"${image.slice(0, 80)}" is an address, not a file`, 'Download the images first.');
  if (labels?.includes('')) throw wrongLine(path, line, 'the label is empty', 'Each image has a class.');
  const named = split === undefined ? undefined : splitNamed(split);
  if (split !== undefined && !named)
    throw wrongLine(path, line, `"${split.slice(0, 40)}" is no split`, 'Splits are train, val and test.');
  return { line, image, ...(labels ? { labels } : {}), ...(named ? { split: named } : {}) };
}
