/** Rows of a table as CSV (RFC 4180): numbers with a point, times in ISO 8601. */
import { type Cell, type Row, TABLES, type TableName } from './columns.ts';

/** A cell as it stands in a CSV file. */
export function cellText(cell: Cell): string {
  if (cell === null) return '';
  if (cell instanceof Date) return cell.toISOString();
  if (typeof cell === 'object') return cell.join(' ');
  // A spreadsheet takes a text that begins so for a formula, and some texts come from other people's browsers.
  const text = typeof cell === 'string' && /^[=+@\t\r-]/.test(cell) ? `'${cell}` : String(cell);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A table with its header line. */
export function csvText(table: TableName, rows: readonly Row[]): string {
  const columns = Object.keys(TABLES[table]);
  const lines = [columns.join(','), ...rows.map((row) => columns.map((name) => cellText(row[name] ?? null)).join(','))];
  return `${lines.join('\n')}\n`;
}
