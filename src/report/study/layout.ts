/** What a study's report says, in which order: the same for Markdown and HTML. */
import { protocolHash, protocolText } from '../../bench/protocol.ts';
import type { Figure } from '../../studies/figures.ts';
import type { StudyRecord } from '../../studies/record.ts';
import type { Section, StudyResult, Table, Value } from '../../studies/study.ts';

/** A figure or table of a section. */
export type Part = { readonly figure: Figure } | { readonly table: Table };

export interface LaidOut {
  readonly section: Section;
  readonly parts: readonly Part[];
}

/** Sections with what stands under them; what no section shows stands under the last one. */
export function layOut({ sections, figures, tables }: StudyResult): LaidOut[] {
  const parts = new Map<string, Part>([
    ...figures.map((figure) => [figure.name, { figure }] as const),
    ...tables.map((table) => [table.name, { table }] as const),
  ]);
  const shown = new Set(sections.flatMap(({ shows = [] }) => shows));
  const rest = [...parts.keys()].filter((name) => !shown.has(name));
  const all: readonly Section[] = rest.length > 0 ? [...sections, { title: 'More', text: '', shows: rest }] : sections;
  return all.map((section) => ({
    section,
    parts: (section.shows ?? []).flatMap((name) => parts.get(name) ?? []),
  }));
}

/** Longer tables are folded, or only named: their file has them. */
export const LONG = 40;

/** A cell for people. */
export const cellText = (value: Value): string => (value === null ? '' : String(value).replace(/^-(?=\d)/, '−'));

/** The head of a column. */
export const headText = ({ name, unit }: Table['columns'][number]): string =>
  unit && !name.endsWith(unit) ? `${name} (${unit})` : name;

/** What the columns are, in a line. */
export const legendText = ({ columns }: Table): string =>
  columns.map(({ name, meaning }) => `${name}: ${meaning}`).join('; ');

/** On what, how and by which program it was measured: name and value. */
export function circumstances(record: StudyRecord): (readonly [name: string, value: string])[] {
  const { device, protocol, runtimes, time, seconds, quick, commit } = record;
  const { cpu, cores, memoryGigabytes, system, host, features, machine, fingerprint, mobileone } = device;
  return [
    [
      'date',
      `${time.slice(0, 16).replace('T', ' ')} UTC${quick ? ', a quick run' : ''}, ${(seconds / 60).toFixed(1)} minutes`,
    ],
    [
      'machine',
      `${cpu}, ${cores} cores, ${memoryGigabytes} GB, ${system}, ${host} (machine ${machine}, fingerprint ${fingerprint})`,
    ],
    ['WebAssembly', features.join(', ') || 'plain'],
    ['runtimes', runtimes.join('; ') || 'none'],
    ...(protocol ? [['protocol', `${protocolText(protocol)} (protocol ${protocolHash(protocol)})`] as const] : []),
    ['mobileone', `${mobileone}${commit ? `, commit ${commit}` : ''}`],
  ];
}
