/** FlatBuffers by a schema table: plain objects to bytes (with the package `flatbuffers`) and back. */
import type { Builder } from 'flatbuffers';
import { UserError } from '../../core/errors.ts';
import type { Field, Schema } from './schema.ts';

/** A table as a plain object: field names to values. Fields that are left out have the format's default. */
export interface TableValue {
  readonly [field: string]: FieldValue | undefined;
}
export type FieldValue =
  | boolean
  | number
  | string
  | Uint8Array
  | readonly number[]
  | TableValue
  | readonly TableValue[];

/** The value of a field of type `options`: which table, and its fields. */
export interface OptionsValue extends TableValue {
  readonly table: string;
  readonly value: TableValue;
}

/** Loads the package when it is first needed. */
async function loadPackage(): Promise<typeof import('flatbuffers')> {
  try {
    return await import('flatbuffers');
  } catch {
    throw new UserError(
      'TFLite files are written by the package flatbuffers, which is missing.',
      'Install it: npm install flatbuffers',
    );
  }
}

/** Writes a root table. The same value gives the same bytes; data of type `bytes` begin at multiples of 16. */
export async function encodeTable(schema: Schema, root: TableValue, sizeHint = 1024): Promise<Uint8Array> {
  const { Builder } = await loadPackage();
  const builder = new Builder(sizeHint);
  // Every field given is written, whatever the format's default for it is.
  builder.forceDefaults(true);
  builder.finish(writeTable(builder, schema, schema.root, root), schema.identifier);
  return builder.asUint8Array();
}

/** What a field's children became: an offset, or a scalar that is written into the table itself. */
type Slot = readonly [id: number, write: (id: number) => void];

function writeTable(builder: Builder, schema: Schema, name: string, table: TableValue): number {
  const fields = schema.tables[name]!;
  const slots: Slot[] = [];
  for (const [key, value] of Object.entries(table)) {
    const field = fields[key];
    if (!field) throw new TypeError(`the table ${name} has no field ${key}`);
    if (value !== undefined) slots.push(...writeField(builder, schema, field, value));
  }
  builder.startObject(Math.max(0, ...Object.values(fields).map(([id]) => id + 1)));
  for (const [id, write] of slots) write(id);
  return builder.endObject();
}

function writeField(builder: Builder, schema: Schema, [id, type, table]: Field, value: FieldValue): Slot[] {
  const offset = (at: number): Slot => [id, (slot) => builder.addFieldOffset(slot, at, 0)];
  switch (type) {
    case 'bool':
    case 'int8':
    case 'uint8':
      return [[id, (slot) => builder.addFieldInt8(slot, Number(value), 0)]];
    case 'int32':
    case 'uint32':
      return [[id, (slot) => builder.addFieldInt32(slot, value as number, 0)]];
    case 'float32':
      return [[id, (slot) => builder.addFieldFloat32(slot, value as number, 0)]];
    case 'string':
      return [offset(builder.createString(value as string))];
    case 'bytes': {
      const bytes = value as Uint8Array;
      builder.prep(16, bytes.length);
      return [offset(builder.createByteVector(bytes))];
    }
    case '[int32]':
      return [offset(writeVector(builder, 4, value as readonly number[], (one) => builder.addInt32(one)))];
    case '[int64]':
      return [offset(writeVector(builder, 8, value as readonly number[], (one) => builder.addInt64(BigInt(one))))];
    case '[float32]':
      return [offset(writeVector(builder, 4, value as readonly number[], (one) => builder.addFloat32(one)))];
    case 'table':
      return [offset(writeTable(builder, schema, table!, value as TableValue))];
    case '[table]': {
      const offsets = (value as readonly TableValue[]).map((one) => writeTable(builder, schema, table!, one));
      return [offset(writeVector(builder, 4, offsets, (one) => builder.addOffset(one)))];
    }
    case 'options': {
      const { table: kind, value: fields } = value as OptionsValue;
      const at = writeTable(builder, schema, kind, fields);
      return [[id - 1, (slot) => builder.addFieldInt8(slot, schema.options[kind]!, 0)], offset(at)];
    }
  }
}

/** Vectors are written backward, as everything is. */
function writeVector(builder: Builder, size: number, values: readonly number[], add: (value: number) => void): number {
  builder.startVector(size, values.length, size);
  for (let i = values.length - 1; i >= 0; i--) add(values[i]!);
  return builder.endVector();
}

/**
 * Reads the fields that the schema names; a `bytes` value is a view. Throws a UserError for bytes without the
 * identifier, or with an offset that leads out of them.
 */
export function decodeTable(schema: Schema, bytes: Uint8Array): TableValue {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const identifier = String.fromCharCode(...bytes.subarray(4, 8));
  if (identifier !== schema.identifier) {
    throw new UserError(`These bytes are no ${schema.identifier} file.`, 'Check that it is the right file.');
  }
  try {
    return readTable(view, schema, schema.root, view.getUint32(0, true));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UserError(`This ${schema.identifier} file is damaged or cut off.`, 'Copy or export it again.');
  }
}

function readTable(view: DataView, schema: Schema, name: string, at: number): TableValue {
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
    if (type === 'options') {
      const kind = view.getUint8(place(id - 1) ?? view.byteLength);
      const known = Object.keys(schema.options).find((one) => schema.options[one] === kind);
      if (known) result[key] = { table: known, value: readTable(view, schema, known, follow(view, position)) };
    } else result[key] = READERS[type](view, position, schema, table ?? '');
  }
  return result;
}

const follow = (view: DataView, at: number): number => at + view.getUint32(at, true);

/** Start and length of the vector that the offset at `at` points to; it must lie in the file. */
function vector(view: DataView, at: number, size: number): { start: number; length: number } {
  const head = follow(view, at);
  const length = view.getUint32(head, true);
  if (head + 4 + length * size > view.byteLength) throw new RangeError('the vector is longer than the file');
  return { start: head + 4, length };
}

const readBytes = (view: DataView, at: number): Uint8Array => {
  const { start, length } = vector(view, at, 1);
  return new Uint8Array(view.buffer, view.byteOffset + start, length);
};

const readVector =
  (size: number, read: (view: DataView, at: number) => number) =>
  (view: DataView, at: number): number[] => {
    const { start, length } = vector(view, at, size);
    return Array.from({ length }, (_, i) => read(view, start + i * size));
  };

type Reader = (view: DataView, at: number, schema: Schema, table: string) => FieldValue;

const READERS: Readonly<Record<Exclude<Field[1], 'options'>, Reader>> = {
  bool: (view, at) => view.getUint8(at) !== 0,
  int8: (view, at) => view.getInt8(at),
  uint8: (view, at) => view.getUint8(at),
  int32: (view, at) => view.getInt32(at, true),
  uint32: (view, at) => view.getUint32(at, true),
  float32: (view, at) => view.getFloat32(at, true),
  string: (view, at) => new TextDecoder().decode(readBytes(view, at)),
  bytes: readBytes,
  '[int32]': readVector(4, (view, at) => view.getInt32(at, true)),
  '[int64]': readVector(8, (view, at) => Number(view.getBigInt64(at, true))),
  '[float32]': readVector(4, (view, at) => view.getFloat32(at, true)),
  table: (view, at, schema, table) => readTable(view, schema, table, follow(view, at)),
  '[table]': (view, at, schema, table) => {
    const { start, length } = vector(view, at, 4);
    return Array.from({ length }, (_, i) => readTable(view, schema, table, follow(view, start + 4 * i)));
  },
};
