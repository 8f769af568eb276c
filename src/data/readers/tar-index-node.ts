/**
 * What a tar file holds, from its headers; the bytes of its files are passed over. POSIX ustar with pax headers, and the
 * long names and large sizes of GNU tar.
 */
import type { OpenedFile } from '../read-at-node.ts';

export interface TarEntry {
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
}

const BLOCK = 512;
/** Longer names, or lists of pax attributes, are refused. */
const MOST_HEADER = 2 ** 20;

/** The files of an archive, in its order. Throws a UserError where it is damaged. */
export function* indexTar(file: OpenedFile): Generator<TarEntry> {
  let longName: string | undefined;
  let pax: Readonly<Record<string, string>> = {};
  for (let at = 0; at < file.size; ) {
    const header = file.read(at, BLOCK);
    if (header.every((byte) => byte === 0)) {
      if (at === 0) throw file.wrong('is no tar file');
      return;
    }
    if (!checksumFits(header)) throw file.wrong(at === 0 ? 'is no tar file' : 'is damaged');
    const type = String.fromCharCode(header[156]!);
    const offset = at + BLOCK;
    const bytes = sizeOf(file, header, type === 'x' ? undefined : pax.size);
    if (offset + bytes > file.size) throw file.wrong('is cut off');
    at = offset + Math.ceil(bytes / BLOCK) * BLOCK;
    if (type === 'L' || type === 'x') {
      if (bytes > MOST_HEADER) throw file.wrong('is damaged');
      const data = file.read(offset, bytes);
      if (type === 'L') longName = text(data, 0, bytes);
      else pax = parsePax(file, data);
      continue;
    }
    if (type === 'g' || type === 'K') continue;
    if (type === '0' || type === '\0' || type === '7')
      yield { name: (pax.path ?? longName ?? ownName(header)).replace(/^\.\//, ''), offset, bytes };
    longName = undefined;
    pax = {};
  }
}

/** Text up to a zero byte. */
function text(bytes: Uint8Array, start: number, length: number): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** The sum of the header's bytes, with its own field as spaces. */
function checksumFits(header: Uint8Array): boolean {
  const sum = header.reduce((total, byte, i) => total + (i >= 148 && i < 156 ? 32 : byte), 0);
  return Number.parseInt(text(header, 148, 8).trim(), 8) === sum;
}

function ownName(header: Uint8Array): string {
  const name = text(header, 0, 100);
  const prefix = text(header, 257, 5) === 'ustar' && header[262] === 0 ? text(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Octal digits, or (GNU) a big-endian number behind a byte of 0x80; a pax header overrides both. */
function sizeOf(file: OpenedFile, header: Uint8Array, pax: string | undefined): number {
  const digits = text(header, 124, 12).trim();
  const own =
    header[124] === 0x80
      ? header.subarray(125, 136).reduce((value, byte) => value * 256 + byte, 0)
      : /^[0-7]*$/.test(digits)
        ? Number.parseInt(digits || '0', 8)
        : Number.NaN;
  const size = pax === undefined ? own : /^\d+$/.test(pax) ? Number(pax) : Number.NaN;
  if (!Number.isSafeInteger(size)) throw file.wrong('is damaged');
  return size;
}

/** Attributes of the next file: lines of `LENGTH KEY=VALUE`, whose length counts itself. */
function parsePax(file: OpenedFile, data: Uint8Array): Record<string, string> {
  const found: Record<string, string> = {};
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(32, at);
    const length = Number(text(data, at, Math.max(0, space - at)));
    if (space < 0 || !Number.isInteger(length) || length < space - at + 2 || at + length > data.length)
      throw file.wrong('is damaged');
    const record = new TextDecoder().decode(data.subarray(space + 1, at + length - 1));
    const equals = record.indexOf('=');
    const key = record.slice(0, equals);
    if (key === 'path' || key === 'size') found[key] = record.slice(equals + 1);
    at += length;
  }
  return found;
}
