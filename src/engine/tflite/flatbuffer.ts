/** Writes FlatBuffers by a schema table, from plain objects, with the package `flatbuffers`. */
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

/** The value of a field of type `union`: which table, and its fields. */
export interface UnionValue extends TableValue {
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
    case 'union': {
      const { table: kind, value: fields } = value as UnionValue;
      const at = writeTable(builder, schema, kind, fields);
      return [[id - 1, (slot) => builder.addFieldInt8(slot, schema.unions[table!]![kind]!, 0)], offset(at)];
    }
  }
}

/** Vectors are written backward, as everything is. */
function writeVector(builder: Builder, size: number, values: readonly number[], add: (value: number) => void): number {
  builder.startVector(size, values.length, size);
  for (let i = values.length - 1; i >= 0; i--) add(values[i]!);
  return builder.endVector();
}
