/** The files of a study: tables as CSV, figures as SVG and PNG, the report as Markdown and HTML, all of it as JSON. */
import { cellText } from '../../bench/results/csv.ts';
import type { StudyRecord } from '../../studies/record.ts';
import type { Table } from '../../studies/study.ts';
import { drawFigure } from '../draw.ts';
import { color } from '../palette.ts';
import { figureSpec } from './figure.ts';
import { studyMarkdown } from './markdown.ts';
import { studyPage } from './page.ts';

/** Name of the file that says which study a folder holds. */
export const STUDY_FILE = 'study.json';

export interface StudyFiles {
  readonly files: ReadonlyMap<string, Uint8Array | string>;
  /** What could not be written, and what to do. */
  readonly notes: readonly string[];
}

/** A table as CSV (RFC 4180). */
export function tableCsv({ columns, rows }: Table): string {
  const lines = [
    columns.map(({ name }) => cellText(name)).join(','),
    ...rows.map((row) => columns.map(({ name }) => cellText(row[name]!)).join(',')),
  ];
  return `${lines.join('\n')}\n`;
}

/** Makes all files, by name; `command` repeats the study. Without sharp there are no PNG files. Throws a UserError when Vega is missing. */
export async function studyFiles(record: StudyRecord, command: string): Promise<StudyFiles> {
  const files = new Map<string, Uint8Array | string>();
  const sharp = await import('sharp').then(
    (module) => module.default,
    () => undefined,
  );
  const notes = sharp ? [] : ['There are no PNG files: the package sharp is not installed (npm install sharp).'];
  for (const figure of record.result.figures) {
    const spec = figureSpec(figure);
    const background = color('paper');
    const svg = await drawFigure({ ...spec, config: { ...spec.config, background } });
    files.set(`${figure.name}.svg`, svg);
    if (!sharp) continue;
    const png = await sharp(Buffer.from(svg), { density: 144 }).flatten({ background }).png().toBuffer();
    files.set(`${figure.name}.png`, new Uint8Array(png));
  }
  for (const table of record.result.tables) files.set(`${table.name}.csv`, tableCsv(table));
  const told = { ...record, result: { ...record.result, notes: [...record.result.notes, ...notes] } };
  files.set('report.md', studyMarkdown(told, { command, pictures: sharp ? 'png' : 'svg' }));
  files.set('report.html', await studyPage(told, command));
  const names = [...files.keys(), STUDY_FILE].sort();
  files.set(
    STUDY_FILE,
    `${JSON.stringify({ format: 'mobileone-study', version: 1, command, files: names, ...told }, null, 1)}\n`,
  );
  return { files, notes };
}
