/**
 * What a zip archive holds, from its central directory; nothing is unpacked. Format: PKWARE's APPNOTE 6.3.10, sections
 * 4.3 (structures) and 4.5.3 (zip64).
 */
import type { ByteSource } from '../../core/byte-source.ts';
import type { UserError } from '../../core/errors.ts';
import type { EncodedPart } from '../dataset.ts';

/** An archive to read from. */
export interface ZipFile extends ByteSource {
  /** The error for an archive that is not what it should be: `why` goes on after its name. */
  wrong(why: string, hint?: string): UserError;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
/** A directory of more bytes (some ten million entries) is refused. */
const MOST_DIRECTORY = 2 ** 30;
const MOST_LEVELS = 100;
const STORED = 0;
const DEFLATED = 8;

/** The files of an archive, in its order. Throws a UserError for what is damaged, encrypted or made to do harm. */
export function zipEntries(file: ZipFile): EncodedPart[] {
  const { entries, offset, bytes } = findDirectory(file);
  const found = readEntries(file, file.read(offset, bytes), entries);
  checkSpans(file, found, offset);
  return found.map(({ part }) => part);
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

interface Directory {
  readonly entries: number;
  readonly offset: number;
  readonly bytes: number;
}

/** Finds the central directory from the record at the end, behind which a comment may be. */
function findDirectory(file: ZipFile): Directory {
  const tailStart = Math.max(0, file.size - 22 - 0xffff);
  const tail = view(file.read(tailStart, file.size - tailStart));
  let at = tail.byteLength - 22;
  while (at >= 0 && !(tail.getUint32(at, true) === END && at + 22 + tail.getUint16(at + 20, true) <= tail.byteLength))
    at--;
  if (at < 0) throw file.wrong('is no zip archive, or is cut off');
  if (tail.getUint16(at + 4, true) !== tail.getUint16(at + 6, true))
    throw file.wrong('is one part of an archive of several', 'Join the parts: zip -s 0 parts.zip --out whole.zip');
  let entries = tail.getUint16(at + 10, true);
  let bytes = tail.getUint32(at + 12, true);
  let offset = tail.getUint32(at + 16, true);
  if (entries === 0xffff || bytes === 0xffffffff || offset === 0xffffffff) {
    const locator = tailStart + at - 20;
    if (locator >= 0 && view(file.read(locator, 4)).getUint32(0, true) === LOCATOR_64) {
      const end = view(file.read(size64(file, file.read(locator, 20), 8), 56));
      if (end.getUint32(0, true) !== END_64) throw file.wrong('is damaged');
      const record = new Uint8Array(end.buffer);
      [entries, bytes, offset] = [size64(file, record, 32), size64(file, record, 40), size64(file, record, 48)];
    }
  }
  if (offset + bytes > tailStart + at || entries * 46 > bytes)
    throw file.wrong('is damaged: its directory does not fit');
  if (bytes > MOST_DIRECTORY) throw file.wrong('holds too many files', 'Split it into several data sets.');
  return { entries, offset, bytes };
}

/** A 64-bit number, which must be one that a file can have. */
function size64(file: ZipFile, bytes: Uint8Array, at: number): number {
  const value = view(bytes).getBigUint64(at, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw file.wrong('is damaged');
  return Number(value);
}

interface Entry {
  readonly part: EncodedPart;
  readonly start: number;
}

function readEntries(file: ZipFile, directory: Uint8Array, count: number): Entry[] {
  const data = view(directory);
  const found: Entry[] = [];
  const names = new Set<string>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > directory.length || data.getUint32(at, true) !== ENTRY) throw file.wrong('is damaged');
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((o) => data.getUint16(at + o, true)) as [
      number,
      number,
      number,
    ];
    const next = at + 46 + nameLength + extraLength + commentLength;
    if (next > directory.length) throw file.wrong('is damaged');
    const name = decodeName(directory.subarray(at + 46, at + 46 + nameLength)).replaceAll('\\', '/');
    if (!name.endsWith('/')) {
      checkName(file, name, names);
      const extra = directory.subarray(at + 46 + nameLength, at + 46 + nameLength + extraLength);
      found.push(readEntry(file, name, data, at, extra));
    }
    at = next;
  }
  return found;
}

/** UTF-8, as most archivers write whether they say so or not, else one character a byte. */
function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('latin1').decode(bytes);
  }
}

/** Nothing is unpacked, so a path that leads out of the archive does no harm; but whoever wrote one meant some. */
function checkName(file: ZipFile, name: string, names: Set<string>): void {
  if (name === '' || name.includes('\0') || /^(\/|[a-z]:)/i.test(name) || name.split('/').includes('..'))
    throw file.wrong(`holds a file with the path "${name.slice(0, 100)}", which leads out of it`, 'Do not use it.');
  if (name.split('/').length > MOST_LEVELS) throw file.wrong(`holds folders more than ${MOST_LEVELS} deep`);
  if (names.has(name)) throw file.wrong(`holds "${name}" twice`, 'Pack the folder anew.');
  names.add(name);
}

/** One entry of the directory, with the place of its bytes, which stand behind a header of their own. */
function readEntry(file: ZipFile, name: string, data: DataView, at: number, extra: Uint8Array): Entry {
  const method = data.getUint16(at + 10, true);
  if (data.getUint16(at + 8, true) & 1) throw file.wrong('is encrypted', 'Unpack it, and name the folder.');
  if (method !== STORED && method !== DEFLATED)
    throw file.wrong(`packs "${name}" by method ${method}, which cannot be read`, 'Unpack it, and name the folder.');
  let inflated = data.getUint32(at + 24, true);
  let bytes = data.getUint32(at + 20, true);
  let start = data.getUint32(at + 42, true);
  const wide = zip64Field(extra);
  let used = 0;
  const widened = (value: number): number => {
    if (value !== 0xffffffff) return value;
    if (!wide || used + 8 > wide.length) throw file.wrong('is damaged');
    used += 8;
    return size64(file, wide, used - 8);
  };
  [inflated, bytes, start] = [widened(inflated), widened(bytes), widened(start)];
  const local = view(file.read(start, 30));
  if (local.getUint32(0, true) !== LOCAL) throw file.wrong('is damaged');
  const offset = start + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  if (method === STORED && bytes !== inflated) throw file.wrong(`is damaged at "${name}"`);
  const crc32 = data.getUint32(at + 16, true);
  const packed = method === DEFLATED ? { inflated } : {};
  return { start, part: { kind: 'encoded', name, offset, bytes, ...packed, crc32 } };
}

/** The field of 64-bit sizes among the extra fields of an entry. */
function zip64Field(extra: Uint8Array): Uint8Array | undefined {
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, length] = [view(extra).getUint16(at, true), view(extra).getUint16(at + 2, true)];
    if (id === 1) return extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return undefined;
}

/** Files must lie one after the other before the directory: a bomb lets many share the same bytes. */
function checkSpans(file: ZipFile, entries: readonly Entry[], end: number): void {
  let last = 0;
  for (const { start, part } of entries.toSorted((a, b) => a.start - b.start)) {
    if (start < last || part.offset + part.bytes > end)
      throw file.wrong('is damaged, or made to do harm: its files overlap', 'Do not use it.');
    last = part.offset + part.bytes;
  }
}
