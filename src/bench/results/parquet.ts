/** Rows of a table as the bytes of a Parquet file, and back. */
import type { ColumnSource } from 'hyparquet-writer';
import { UserError } from '../../core/errors.ts';
import { type Cell, type ColumnType, type Row, TABLES, type TableName } from './columns.ts';

const MISSING = new UserError(
  'The results store needs the packages hyparquet and hyparquet-writer, and they are not installed.',
  'Install them: npm install hyparquet hyparquet-writer',
);

/** How a column is written: its type in Parquet, and the value of a cell. */
const WRITERS: Readonly<
  Record<ColumnType, { readonly type: ColumnSource['type']; readonly value: (cell: Cell) => unknown }>
> = {
  text: { type: 'STRING', value: (cell) => cell },
  number: { type: 'DOUBLE', value: (cell) => cell },
  integer: { type: 'INT32', value: (cell) => cell },
  time: { type: 'TIMESTAMP', value: (cell) => cell },
  // A list of doubles would need nested columns, which spreadsheets don't show: numbers with spaces between them.
  numbers: { type: 'STRING', value: (cell) => (cell as readonly number[] | null)?.join(' ') ?? null },
};

/** Writes rows of a table as one Parquet file. */
export async function encodeRows(table: TableName, rows: readonly Row[]): Promise<Uint8Array> {
  const { parquetWriteBuffer } = await import('hyparquet-writer').catch(() => {
    throw MISSING;
  });
  const columnData = Object.entries(TABLES[table]).map(([name, column]): ColumnSource => {
    const { type, value } = WRITERS[column];
    const data = rows.map((row) => value(row[name] ?? null));
    return { name, data, nullable: true, ...(type ? { type } : {}) };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData, kvMetadata: [{ key: 'mobileone.table', value: table }] }));
}

function readCell(type: ColumnType, value: unknown): Cell {
  if (value === null || value === undefined) return null;
  if (type === 'numbers') return String(value).split(' ').filter(Boolean).map(Number);
  if (type === 'time') return value instanceof Date ? value : new Date(Number(value));
  return type === 'text' ? String(value) : Number(value);
}

/** Reads the rows of a table's Parquet file; columns it lacks are null, columns unknown here are left out. Throws if it is not whole. */
export async function decodeRows(table: TableName, bytes: Uint8Array): Promise<Row[]> {
  const { parquetReadObjects } = await import('hyparquet').catch(() => {
    throw MISSING;
  });
  const file = bytes.slice().buffer;
  const rows = await parquetReadObjects({ file });
  return rows.map((row) =>
    Object.fromEntries(Object.entries(TABLES[table]).map(([name, type]) => [name, readCell(type, row[name])])),
  );
}
