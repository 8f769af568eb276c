/** `mobileone bench` on what was measured before: history, comparison, export, import. */
import { readFile } from 'node:fs/promises';
import { compareMeasurements, comparisonText } from '../../bench/compare.ts';
import { type Row, TABLES, type TableName } from '../../bench/results/columns.ts';
import { csvText } from '../../bench/results/csv.ts';
import { type Point, type Series, seriesOf } from '../../bench/results/history.ts';
import { encodeRows } from '../../bench/results/parquet.ts';
import { parseSession } from '../../bench/results/session.ts';
import { openResults, resultsFolder } from '../../bench/results/store-node.ts';
import { writeAtomic } from '../../checkpoint/write-node.ts';
import { UserError } from '../../core/errors.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { textTable } from '../text-table.ts';
import type { BenchFlags } from './flags.ts';
import { keepSession } from './measure-here.ts';
import { doubtLines, headLines, ms, resultLines, soakLines } from './text.ts';

async function readTable(io: Io, table: TableName): Promise<Row[]> {
  const { rows, unreadable } = await openResults(resultsFolder(io.env)).read(table);
  for (const { path, reason } of unreadable) io.err(`left out: ${path} can't be read (${reason}).`);
  return rows;
}

const nothing = (io: Io): UserError =>
  new UserError(
    `Nothing is kept in ${openResults(resultsFolder(io.env)).folder} yet.`,
    'Measure something: mobileone bench s0.',
  );

const shortTime = (row: Row): string => (row.time as Date).toISOString().slice(0, 16).replace('T', ' ');
const number = (row: Row, name: string): number => row[name] as number;

/** What all series of one table have in common. */
const placeOf = ({ first }: Series): string =>
  `${first.cpu}, ${first.cores} cores (machine ${first.machine}), ${first.rounds} rounds of ${first.runs_per_round} runs (protocol ${first.protocol})`;

function changeText({ change, sure }: Point): string {
  if (change === undefined) return '';
  return `${change >= 1 ? '+' : ''}${(100 * (change - 1)).toFixed(1)} %${sure ? '' : ' (may be chance)'}`;
}

/** A series as lines; what they share is written once. */
function historyRows({ first, points }: Series): string[][] {
  const batch = first.batch === 1 ? '' : `, batch ${first.batch}`;
  return points.map((point, i): string[] => {
    const { row } = point;
    const what = [`${first.model}, ${first.size} px${batch}`, String(first.form), `${first.runtime}@${first.threads}`];
    return [
      ...[String(row.id), shortTime(row)],
      ...(i === 0 ? what : ['', '', '']),
      ...[String(row.runtime_version), String(row.host), ms(number(row, 'mean_ms'))],
      `${ms(number(row, 'low_ms'))} – ${ms(number(row, 'high_ms'))}`,
      changeText(point),
    ];
  });
}

/** `--history [MODEL]`: every series of comparable measurements over time. */
export async function showHistory(io: Io, target: string, flags: BenchFlags): Promise<number> {
  const rows = await readTable(io, 'measurements');
  if (rows.length === 0) throw nothing(io);
  const model = typeof flags.history === 'string' ? flags.history : target || undefined;
  const series = seriesOf(rows, model);
  if (series.length === 0) {
    const known = [...new Set(rows.map((row) => String(row.model)))];
    throw new UserError(`Nothing is kept of ${model}.`, `There is ${known.join(', ')}.`);
  }
  if (flags.json) {
    io.out(JSON.stringify(series));
    return EXIT.ok;
  }
  const places = [...new Set(series.map(placeOf))];
  for (const place of places) {
    const here = series.filter((one) => placeOf(one) === place);
    io.out(place);
    const head = ['id', 'time (UTC)', 'model', 'form', 'runtime', '', 'host', 'mean', '95 %', 'change'];
    for (const line of textTable([head, ...here.flatMap(historyRows)], 7)) io.out(`  ${line}`);
    io.out('');
  }
  return EXIT.ok;
}

/** `--compare ID,ID` of kept measurements. */
export async function compareStored(io: Io, text: string, flags: BenchFlags): Promise<number> {
  const rows = await readTable(io, 'measurements');
  if (rows.length === 0) throw nothing(io);
  const ids = text.split(',').map((id) => id.trim());
  if (ids.length !== 2)
    throw new UserError(`--compare takes two, got "${text}".`, 'mobileone bench --history shows the ids.', 2);
  const [first, second] = ids.map((id) => {
    const row = rows.find((one) => one.id === id);
    if (!row) throw new UserError(`There is no result "${id}".`, 'mobileone bench --history shows the ids.');
    return row;
  }) as [Row, Row];
  if (first.size !== second.size || first.batch !== second.batch)
    throw new UserError(
      `They are not of the same images: ${first.size} px, batch ${first.batch}, and ${second.size} px, batch ${second.batch}.`,
      'Measure both with the same --size and --batch.',
    );
  const timing = (row: Row) => ({
    mean: number(row, 'mean_ms'),
    roundMeans: row.round_means_ms as readonly number[],
    protocol: String(row.protocol),
  });
  const comparison = compareMeasurements(timing(first), timing(second), first.session === second.session);
  const name = (row: Row): string => `${row.model} ${row.form} on ${row.runtime}@${row.threads} (${row.id})`;
  if (flags.json) io.out(JSON.stringify({ first, second, comparison }));
  else io.out(comparisonText(name(first), name(second), comparison));
  return EXIT.ok;
}

/** `--export FILE.csv` (or .parquet): everything that is kept, the other tables beside it. */
export async function exportResults(io: Io, flags: BenchFlags): Promise<number> {
  const file = flags.export!;
  const ending = /\.(csv|parquet)$/i.exec(file)?.[0];
  if (!ending) throw new UserError(`--export writes .csv or .parquet files, got "${file}".`, '', 2);
  const written: { path: string; rows: number }[] = [];
  for (const table of Object.keys(TABLES) as TableName[]) {
    const rows = await readTable(io, table);
    if (rows.length === 0) continue;
    const path = table === 'measurements' ? file : `${file.slice(0, -ending.length)}-${table}${ending}`;
    await writeAtomic(path, ending.toLowerCase() === '.csv' ? csvText(table, rows) : await encodeRows(table, rows));
    written.push({ path, rows: rows.length });
  }
  if (written.length === 0) throw nothing(io);
  if (flags.json) io.out(JSON.stringify(written));
  else for (const { path, rows } of written) io.out(`${path}: ${rows} row${rows > 1 ? 's' : ''}`);
  return EXIT.ok;
}

/** `--import FILE`: a result that a static page gave to download. */
export async function importResults(io: Io, flags: BenchFlags): Promise<number> {
  const file = flags.import!;
  const json = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new UserError(`${file} can't be read (${error.code}).`, 'Name the file that the page gave you to download.');
  });
  const session = parseSession(json);
  const kept = await openResults(resultsFolder(io.env)).read('measurements');
  if (kept.rows.some((row) => row.session === session.id)) {
    io.out(`${file} is kept already (session ${session.id.slice(0, 6)}).`);
    return EXIT.ok;
  }
  if (!flags.json) {
    for (const line of [...headLines(session), '', ...resultLines(session.measurements)]) io.out(line);
    for (const line of [...session.soaks.flatMap(soakLines), ...doubtLines(session.measurements), ...session.notes])
      io.out(line);
  }
  await keepSession(io, session, { save: true, json: flags.json });
  if (flags.json) io.out(JSON.stringify(session));
  return EXIT.ok;
}
