/** CSV as RFC 4180 has it: quotes, doubled quotes and line breaks inside them; lines may end in CRLF, LF or CR. */

export interface CsvRow {
  /** Line of the file on which the row begins, from 1. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** A row that is no CSV: on which line, and why. */
export class CsvError extends Error {
  readonly line: number;

  constructor(line: number, why: string) {
    super(why);
    this.line = line;
  }
}

/** The rows of a text; lines with nothing in them are left out. Throws a CsvError where a quote is misplaced. */
export function* parseCsv(text: string, delimiter: string): Generator<CsvRow> {
  let at = 0;
  let line = 1;
  const readCell = (): string => {
    if (text[at] !== '"') {
      const start = at;
      while (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r') at++;
      return text.slice(start, at);
    }
    const begun = line;
    let cell = '';
    for (let start = at + 1; ; start = at + 1) {
      at = text.indexOf('"', start);
      if (at < 0) throw new CsvError(begun, 'a quote is opened and never closed');
      const piece = text.slice(start, at);
      line += piece.match(/\r\n|\n|\r/g)?.length ?? 0;
      cell += piece;
      if (text[at + 1] !== '"') break;
      cell += '"';
      at++;
    }
    at++;
    if (at < text.length && text[at] !== delimiter && text[at] !== '\n' && text[at] !== '\r')
      throw new CsvError(line, 'something follows a closing quote');
    return cell;
  };
  while (at < text.length) {
    const begun = line;
    const cells = [readCell()];
    while (text[at] === delimiter) {
      at++;
      cells.push(readCell());
    }
    if (text[at] === '\r') at++;
    if (text[at] === '\n') at++;
    line++;
    if (cells.length > 1 || cells[0]!.trim() !== '') yield { line: begun, cells };
  }
}

/** The delimiter of a header line: the first comma, semicolon or tab outside quotes. */
export function delimiterOf(text: string): string {
  let quoted = false;
  for (const character of text) {
    if (character === '"') quoted = !quoted;
    else if (quoted) continue;
    else if (character === ',' || character === ';' || character === '\t') return character;
    else if (character === '\n' || character === '\r') break;
  }
  return ',';
}
