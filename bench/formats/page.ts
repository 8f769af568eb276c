/** The table of formats as text, and as a part of docs/formats.md. */
import type { AppleRow } from './apple.ts';
import type { FormatRow } from './measure.ts';

export interface Found {
  readonly rows: readonly FormatRow[];
  readonly apple: readonly AppleRow[];
  /** What the images were. */
  readonly images: string;
  readonly machine: string;
  readonly node: string;
  readonly commit: string;
  readonly date: string;
}

type Cells = readonly (readonly string[])[];

const verdict = (passed: boolean): string => (passed ? 'met' : '**missed**');
const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(bytes < 1e6 ? 3 : 2)} MB`;

/** Cells of the table, its head first. */
export function formatCells(rows: readonly FormatRow[]): Cells {
  return [
    [
      'model',
      'format',
      'runtime',
      'largest logit difference',
      'allowed',
      'same top-1',
      'classes seen',
      'against',
      'size',
      '',
    ],
    ...rows.map((row) => [
      row.subject,
      `${row.format} ${row.precision}`,
      row.runtime,
      row.difference === null ? 'not run' : row.difference.toExponential(1),
      row.bound.toExponential(0),
      row.top1Agreement === null ? 'not run' : `${row.top1Agreement.toFixed(row.top1Agreement === 100 ? 0 : 2)} %`,
      String(row.classesSeen),
      row.reference,
      megabytes(row.bytes),
      row.difference === null ? 'not run' : verdict(row.passed),
    ]),
  ];
}

/** Cells of Apple's answers, the head first. */
export function appleCells(rows: readonly AppleRow[]): Cells {
  return [
    ['what', 'same top-1', 'largest difference of a top-5 probability (0.02)', 'logits of the formula', 'allowed', ''],
    ...rows.map(({ what, photos, sameClass, probability, formula, formulaBound, passed }) => [
      what,
      `${sameClass} of ${photos}`,
      probability.toExponential(1),
      formula === null ? 'not asked: takes bytes only' : formula.toExponential(1),
      formulaBound.toExponential(1),
      verdict(passed),
    ]),
  ];
}

const markdown = ([head, ...rows]: Cells): string =>
  [head!, head!.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

const [BEGIN, END] = ['<!-- written by npm run formats -->', '<!-- to here -->'];

/** The page with its table written anew; what stands before and after it stays. Throws where the page has no place for it. */
export function withTable(page: string, { rows, apple, images, machine, node, commit, date }: Found): string {
  const [begin, end] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the page has no lines "${BEGIN}" and "${END}"`);
  const parts = [
    BEGIN,
    '',
    `\`npm run formats -- DATA\` on ${images}; ${machine}, Node ${node.slice(1)}, commit ${commit}, ${date}.`,
    'The largest difference of a logit over all images is relative to the largest logit.',
    '',
    markdown(formatCells(rows)),
    '',
    ...(apple.length > 0
      ? [
          "Apple's published S0 on the photos and the input whose answers are known:",
          '',
          markdown(appleCells(apple)),
          '',
        ]
      : []),
  ];
  return page.slice(0, begin) + parts.join('\n') + page.slice(end);
}

/** Whether every bar was met. */
export const allMet = ({ rows, apple }: Pick<Found, 'rows' | 'apple'>): boolean =>
  rows.length > 0 && [...rows, ...apple].every(({ passed }) => passed);
