/** A link as a QR code for terminals: two rows of squares in a line of text. */

/** Pairs of an upper and a lower square that is to be drawn. */
const HALVES = [' ', '▄', '▀', '█'] as const;

/** Lines of a QR code. With colors it is black on white, as cameras like it; without, what is white is drawn, for dark terminals. */
export async function qrLines(text: string, colors: boolean): Promise<string[]> {
  const { encodeQR } = await import('qr');
  // A quiet zone of two squares is enough where the terminal goes on around it.
  const squares = encodeQR(text, 'raw', { ecc: 'low', border: 2 });
  const drawn = (y: number, x: number): number => Number((squares[y]?.[x] ?? false) === colors);
  const lines: string[] = [];
  for (let y = 0; y < squares.length; y += 2) {
    const line = squares[y]!.map((_, x) => HALVES[2 * drawn(y, x) + drawn(y + 1, x)]).join('');
    lines.push(colors ? `\x1b[30;107m${line}\x1b[0m` : line);
  }
  return lines;
}
