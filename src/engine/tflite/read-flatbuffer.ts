/** Reads FlatBuffers by a schema table, within the bytes and in time that grows with them, whatever they hold. */
import { UserError } from '../../core/errors.ts';
import type { FieldValue, TableValue } from './flatbuffer.ts';
import type { Field, Schema } from './schema.ts';

/** The bytes, and how many values may still be read: offsets that name the same place again and again can't multiply it. */
interface Source {
  readonly view: DataView;
  readonly schema: Schema;
  left: number;
}

/**
 * Reads the fields that the schema names; a `bytes` value is a view. Throws a UserError for bytes without the
 * identifier, with an offset that leads out of them, or that claim to hold more than they can.
 */
export function decodeTable(schema: Schema, bytes: Uint8Array): TableValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const identifier = String.fromCharCode(...bytes.subarray(4, 8));
  if (identifier !== schema.identifier) {
    throw new UserError(`These bytes are no ${schema.identifier} file.`, 'Check that it is the right file.');
  }
  try {
    return readTable({ view, schema, left: 1024 + 2 * bytes.length }, schema.root, view.getUint32(0, true));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(`This ${schema.identifier} file is damaged or cut off.`, 'Copy or export it again.');
  }
}

/** Takes so many bytes off what may still be read. */
function spend(source: Source, bytes: number): void {
  source.left -= bytes;
  if (source.left < 0) throw new RangeError('the same bytes are read too often');
}

function readTable(source: Source, name: string, at: number): TableValue {
  const { view, schema } = source;
  spend(source, 4);
  const vtable = at - view.getInt32(at, true);
  const size = view.getUint16(vtable, true);
  const place = (id: number): number | undefined => {
    const offset = 4 + 2 * id < size ? view.getUint16(vtable + 4 + 2 * id, true) : 0;
    return offset === 0 ? undefined : at + offset;
  };
  const result: Record<string, FieldValue> = {};
  for (const [key, [id, type, table]] of Object.entries(schema.tables[name]!)) {
    const position = place(id);
    if (position === undefined) continue;
    spend(source, 1);
    if (type === 'union') {
      const kinds = schema.unions[table!]!;
      const kind = view.getUint8(place(id - 1) ?? view.byteLength);
      const known = Object.keys(kinds).find((one) => kinds[one] === kind);
      if (known) result[key] = { table: known, value: readTable(source, known, follow(view, position)) };
    } else result[key] = READERS[type](source, position, table ?? '');
  }
  return result;
}

const follow = (view: DataView, at: number): number => at + view.getUint32(at, true);

/** Start and length of the vector that the offset at `at` points to; it must lie in the file. */
function vector(source: Source, at: number, size: number): { start: number; length: number } {
  const { view } = source;
  const head = follow(view, at);
  const length = view.getUint32(head, true);
  if (head + 4 + length * size > view.byteLength) throw new RangeError('the vector is longer than the file');
  spend(source, length * size);
  return { start: head + 4, length };
}

const readBytes = (source: Source, at: number): Uint8Array => {
  const { start, length } = vector(source, at, 1);
  const { buffer, byteOffset } = source.view;
  return new Uint8Array(buffer, byteOffset + start, length);
};

const readVector =
  (size: number, read: (view: DataView, at: number) => number) =>
  (source: Source, at: number): number[] => {
    const { start, length } = vector(source, at, size);
    return Array.from({ length }, (_, i) => read(source.view, start + i * size));
  };

type Reader = (source: Source, at: number, table: string) => FieldValue;

const READERS: Readonly<Record<Exclude<Field[1], 'union'>, Reader>> = {
  bool: ({ view }, at) => view.getUint8(at) !== 0,
  int8: ({ view }, at) => view.getInt8(at),
  uint8: ({ view }, at) => view.getUint8(at),
  int32: ({ view }, at) => view.getInt32(at, true),
  uint32: ({ view }, at) => view.getUint32(at, true),
  float32: ({ view }, at) => view.getFloat32(at, true),
  string: (source, at) => new TextDecoder().decode(readBytes(source, at)),
  bytes: readBytes,
  '[int32]': readVector(4, (view, at) => view.getInt32(at, true)),
  '[int64]': readVector(8, (view, at) => Number(view.getBigInt64(at, true))),
  '[float32]': readVector(4, (view, at) => view.getFloat32(at, true)),
  table: (source, at, table) => readTable(source, table, follow(source.view, at)),
  '[table]': (source, at, table) => {
    const { start, length } = vector(source, at, 4);
    return Array.from({ length }, (_, i) => readTable(source, table, follow(source.view, start + 4 * i)));
  },
};
