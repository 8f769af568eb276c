/**
 * The results store: a folder with one folder a table, in it one Parquet file for each time something was measured. A file is written
 * whole or not at all and never changed again, so that a killed measurement leaves everything before it readable, and several may be
 * measured and stored at once. DuckDB, pandas and the like read the folder of a table as one table.
 */
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { removeLeftovers, writeAtomic } from '../../checkpoint/write-node.ts';
import { makeFolder } from '../../core/folder-node.ts';
import { type Row, sessionRows, type TableName } from './columns.ts';
import { decodeRows, encodeRows } from './parquet.ts';
import { randomHex, type Session } from './session.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where results are kept: MOBILEONE_RESULTS, or the system's folder for a program's data. */
export function resultsFolder(env: Environment = process.env, platform: string = process.platform): string {
  const { MOBILEONE_RESULTS, XDG_DATA_HOME, LOCALAPPDATA } = env;
  if (MOBILEONE_RESULTS) return MOBILEONE_RESULTS;
  if (XDG_DATA_HOME) return join(XDG_DATA_HOME, 'mobileone', 'results');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'mobileone', 'results');
  if (platform === 'win32' && LOCALAPPDATA) return join(LOCALAPPDATA, 'mobileone', 'results');
  return join(homedir(), '.local', 'share', 'mobileone', 'results');
}

/** A file that could not be read. */
export interface Unreadable {
  readonly path: string;
  readonly reason: string;
}

export interface Results {
  readonly folder: string;
  /** Adds rows to a table as one file; it is on the disk when the promise resolves. Returns the file's path; no rows make none. */
  append(table: TableName, rows: readonly Row[]): Promise<string | undefined>;
  /** Adds a session to the tables that it has rows for. */
  add(session: Session): Promise<void>;
  /** All rows of a table, oldest first, and the files that could not be read. */
  read(table: TableName): Promise<{ rows: Row[]; unreadable: Unreadable[] }>;
}

/** Opens the store in a folder, which is made when something is added. */
export function openResults(folder: string = resultsFolder()): Results {
  const results: Results = {
    folder,
    async append(table, rows) {
      if (rows.length === 0) return undefined;
      const place = join(folder, table);
      await makeFolder(place);
      await removeLeftovers(place);
      // The time first, so that names sort by age.
      const path = join(place, `${new Date().toISOString().replaceAll(':', '-')}-${randomHex(4)}.parquet`);
      await writeAtomic(path, await encodeRows(table, rows));
      return path;
    },
    async add(session) {
      for (const [table, rows] of Object.entries(sessionRows(session)))
        await results.append(table as 'measurements' | 'minutes', rows);
    },
    async read(table) {
      const place = join(folder, table);
      const names = (await readdir(place).catch(() => [])).filter((name) => /^[^.].*\.parquet$/.test(name)).sort();
      const rows: Row[] = [];
      const unreadable: Unreadable[] = [];
      for (const name of names) {
        const path = join(place, name);
        try {
          rows.push(...(await decodeRows(table, new Uint8Array(await readFile(path)))));
        } catch (error) {
          if (error instanceof Error && error.name === 'UserError') throw error;
          unreadable.push({ path, reason: (error as Error).message });
        }
      }
      return { rows: rows.sort((a, b) => Number(a.time) - Number(b.time)), unreadable };
    },
  };
  return results;
}
