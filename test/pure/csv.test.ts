/** CSV comes back as it was written, whatever is in the cells. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CsvError, delimiterOf, parseCsv } from '../../src/data/readers/csv.ts';

const cell = fc.string({ unit: fc.constantFrom(...'ab é,;\t|"\n\r'), maxLength: 8 });
const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`;

test('any cells, with any delimiter and line end', () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 }),
      fc.constantFrom(',', ';', '\t'),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.boolean(),
      fc.boolean(),
      (rows, delimiter, end, ended, quoteAll) => {
        const plain = (text: string): boolean => !quoteAll && !/[",;\t\n\r]/.test(text);
        const text = rows
          .map((cells) => cells.map((one) => (plain(one) ? one : quoted(one))).join(delimiter))
          .join(end);
        const parsed = [...parseCsv(text + (ended ? end : ''), delimiter)];
        expect(parsed.map(({ cells }) => cells)).toEqual(rows);
        const breaks = (row: readonly string[]): number => row.join(' ').match(/\r\n|\n|\r/g)?.length ?? 0;
        let line = 1;
        rows.forEach((row, i) => {
          expect(parsed[i]!.line).toBe(line);
          line += 1 + breaks(row);
        });
      },
    ),
  );
});

test('any text gives rows or a CsvError with a line of it', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'a,"\n\r'), maxLength: 20 }), (text) => {
      try {
        for (const { cells } of parseCsv(text, ',')) expect(cells.length).toBeGreaterThan(0);
      } catch (error) {
        expect(error).toBeInstanceOf(CsvError);
        expect((error as CsvError).line).toBeLessThanOrEqual(1 + text.length);
      }
    }),
  );
});

test('the delimiter is the first of the header, outside quotes', () => {
  expect([delimiterOf('"a,b";c,d\n'), delimiterOf('a\tb'), delimiterOf('path\na;b'), delimiterOf('')]).toEqual([
    ...[';', '\t', ',', ','],
  ]);
});
