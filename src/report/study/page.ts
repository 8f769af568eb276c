/** A study's report as one HTML file: figures as inline SVG, no script, nothing loaded from anywhere. */
import type { StudyRecord } from '../../studies/record.ts';
import type { Table } from '../../studies/study.ts';
import { escapeHtml, figure, page, section, table } from '../markup.ts';
import { figureSpec } from './figure.ts';
import { cellText, circumstances, headText, LONG, layOut, legendText } from './layout.ts';
import { proseHtml } from './prose.ts';

const EXTRA =
  'section>ul{padding-left:1.2em;font-size:.9rem}section li{margin:.3em 0}h3{font-size:.95rem;margin:1.6em 0 .4em}';

function tableHtml(one: Table): string {
  const { title, columns, rows } = one;
  const body = table(
    columns.map(headText),
    rows.map((row) => columns.map((column) => cellText(row[column.name]!))),
  );
  const legend = `<p class="small">${escapeHtml(legendText(one))}</p>`;
  if (rows.length > LONG)
    return `<details><summary>${escapeHtml(title)} (${rows.length} rows)</summary>${body}${legend}</details>`;
  return `<h3>${escapeHtml(title)}</h3>${body}${legend}`;
}

/** Renders the page. Throws a UserError when Vega is missing and there are figures to draw. */
export async function studyPage(record: StudyRecord, command: string): Promise<string> {
  const { study, result } = record;
  const sections: string[] = [`<p class="small">${escapeHtml(study.question)}</p>`];
  for (const { section: one, parts } of layOut(result)) {
    const body: string[] = [proseHtml(one.text)];
    for (const part of parts)
      body.push('figure' in part ? await figure(figureSpec(part.figure), part.figure.title) : tableHtml(part.table));
    sections.push(section(one.title, ...body));
  }
  const notes = result.notes.map((note) => `<li>${escapeHtml(note)}</li>`);
  sections.push(notes.length > 0 ? section('Notes', `<ul>${notes.join('')}</ul>`) : '');
  const facts = circumstances(record).map(
    ([name, value]) => `<li><b>${escapeHtml(name)}</b> ${escapeHtml(value)}</li>`,
  );
  sections.push(section('Repeat it', `<pre><code>${escapeHtml(command)}</code></pre>`, `<ul>${facts.join('')}</ul>`));
  return page(study.title, result.finding, sections, EXTRA);
}
