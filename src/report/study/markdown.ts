/** A study's report as Markdown. */
import type { StudyRecord } from '../../studies/record.ts';
import type { Table } from '../../studies/study.ts';
import { cellText, circumstances, headText, LONG, layOut, legendText } from './layout.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');
const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;

function tableLines(table: Table): string[] {
  const { name, title, columns, rows } = table;
  const file = `[${name}.csv](${name}.csv)`;
  if (rows.length > LONG) return [`**${title}**: ${rows.length} rows in ${file}.`];
  const numeric = columns.map((column) => rows.some((row) => typeof row[column.name] === 'number'));
  return [
    `**${title}** (${file})`,
    '',
    line(columns.map(headText)),
    line(numeric.map((right) => (right ? '---:' : '---'))),
    ...rows.map((row) => line(columns.map((column) => cellText(row[column.name]!)))),
    '',
    `<sub>${legendText(table)}</sub>`,
  ];
}

/** Renders it; `pictures` is the ending of the figures' files, which lie beside it. */
export function studyMarkdown(
  record: StudyRecord,
  { command, pictures }: { readonly command: string; readonly pictures: 'png' | 'svg' },
): string {
  const { study, result } = record;
  const sections = layOut(result).flatMap(({ section, parts }) => [
    `## ${section.title}`,
    '',
    ...(section.text ? [section.text, ''] : []),
    ...parts.flatMap((part) => [
      ...('figure' in part
        ? [`![${part.figure.title.replaceAll(']', '\\]')}](${part.figure.name}.${pictures})`]
        : tableLines(part.table)),
      '',
    ]),
  ]);
  const notes = result.notes.length > 0 ? ['## Notes', '', ...result.notes.map((note) => `- ${note}`), ''] : [];
  return [
    ...[`# ${study.title}`, '', `*${study.question}*`, '', `**${result.finding}**`, ''],
    ...sections,
    ...notes,
    ...['## Repeat it', '', '```bash', command, '```', ''],
    ...circumstances(record).map(([name, value]) => `- ${name}: ${value}`),
    '',
  ].join('\n');
}
