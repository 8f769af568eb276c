/** Messages of `schema.ts` to protobuf and back, by the reader and writer of `@bufbuild/protobuf`. */
import type { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { UserError } from '../../core/errors.ts';
import { type Field, type Message, type MessageName, type PlainType, SCHEMA } from './schema.ts';

type Wire = typeof import('@bufbuild/protobuf/wire');
type Content = Readonly<Record<string, unknown>>;

/** Loads the package when it is first needed. */
async function loadPackage(): Promise<Wire> {
  try {
    return await import('@bufbuild/protobuf/wire');
  } catch {
    throw new UserError(
      'Core ML files are written and read by the package @bufbuild/protobuf, which is missing.',
      'Install it: npm install @bufbuild/protobuf',
    );
  }
}

/** Wire types of protobuf: a variable-length integer, bytes with their length, and four bytes. */
const VARINT = 0;
const BYTES = 2;
const BIT32 = 5;

type Kind = 'bool' | 'bytes' | 'string' | 'int32' | 'int64' | 'uint64' | 'float';
interface KindRule {
  readonly wire: number;
  write(writer: BinaryWriter, value: never): void;
  read(reader: BinaryReader): unknown;
}

const KINDS: Readonly<Record<Kind, KindRule>> = {
  bool: { wire: VARINT, write: (writer, value) => writer.bool(value), read: (reader) => reader.bool() },
  bytes: { wire: BYTES, write: (writer, value) => writer.bytes(value), read: (reader) => reader.bytes() },
  string: { wire: BYTES, write: (writer, value) => writer.string(value), read: (reader) => reader.string() },
  int32: { wire: VARINT, write: (writer, value) => writer.int32(value), read: (reader) => reader.int32() },
  int64: { wire: VARINT, write: (writer, value) => writer.int64(value), read: (reader) => Number(reader.int64()) },
  uint64: { wire: VARINT, write: (writer, value) => writer.uint64(value), read: (reader) => Number(reader.uint64()) },
  float: { wire: BIT32, write: (writer, value) => writer.float(value), read: (reader) => reader.float() },
};

/** `[float]` → its kind `float`; undefined for a type that is no list. */
const elementOf = (type: PlainType): Kind | undefined =>
  type.startsWith('[') ? (type.slice(1, -1) as Kind) : undefined;

/** Writes a message. The same value gives the same bytes. */
export async function encodeMessage<M extends MessageName>(
  name: M,
  value: Message<M>,
): Promise<Uint8Array<ArrayBuffer>> {
  const { BinaryWriter } = await loadPackage();
  return writeMessage(new BinaryWriter(), name, value as Content).finish();
}

function writeMessage(writer: BinaryWriter, name: MessageName, content: Content): BinaryWriter {
  const fields: Readonly<Record<string, Field>> = SCHEMA[name];
  for (const [key, value] of Object.entries(content)) {
    const field = fields[key];
    if (!field) throw new TypeError(`the message ${name} has no field ${key}`);
    if (value !== undefined) writeField(writer, field, value);
  }
  return writer;
}

function writeField(writer: BinaryWriter, [id, type, message]: Field, value: unknown): void {
  const nested = (write: () => void): void => {
    writer.tag(id, BYTES).fork();
    write();
    writer.join();
  };
  if (type === 'message') nested(() => writeMessage(writer, message as MessageName, value as Content));
  else if (type === '[message]')
    for (const one of value as Content[]) nested(() => writeMessage(writer, message as MessageName, one));
  else if (type === 'map')
    for (const [key, one] of Object.entries(value as Content))
      nested(() => {
        writeField(writer, [1, 'string'], key);
        writeField(writer, message === 'string' ? [2, 'string'] : [2, 'message', message!], one);
      });
  else {
    const element = elementOf(type);
    const { wire, write } = KINDS[element ?? (type as Kind)];
    if (element === undefined) write(writer.tag(id, wire), value as never);
    else if (wire === BYTES) for (const one of value as never[]) write(writer.tag(id, wire), one);
    // Numbers are packed: one length, then all of them.
    else
      nested(() => {
        for (const one of value as never[]) write(writer, one);
      });
  }
}

/** Deepest nesting of messages; as in protobuf's own readers. */
const MAX_DEPTH = 100;

/** Reads the fields that the schema names. Throws a UserError for bytes that are no such message. */
export async function decodeMessage<M extends MessageName>(name: M, bytes: Uint8Array): Promise<Message<M>> {
  const wire = await loadPackage();
  try {
    return readMessage(wire, bytes, name, 0) as Message<M>;
  } catch {
    throw new UserError('The model inside the Core ML package is damaged or cut off.', 'Copy or export it again.');
  }
}

function readMessage(wire: Wire, bytes: Uint8Array, name: MessageName, depth: number): Content {
  if (depth > MAX_DEPTH) throw new RangeError('messages are nested too deeply');
  const reader = new wire.BinaryReader(bytes);
  const fields = new Map(Object.entries<Field>(SCHEMA[name]).map(([key, field]) => [field[0], { key, field }]));
  const content: Record<string, unknown> = {};
  while (reader.pos < reader.len) {
    const [id, wireType] = reader.tag();
    const known = fields.get(id);
    if (known) content[known.key] = readField(wire, reader, known.field, wireType, content[known.key], depth);
    else reader.skip(wireType, id);
  }
  if (reader.pos > reader.len) throw new RangeError('the last field ends behind the message');
  return content;
}

/** A field's value once another piece of it was read: lists and maps grow, of others the last counts. */
function readField(
  wire: Wire,
  reader: BinaryReader,
  [, type, message]: Field,
  wireType: number,
  before: unknown,
  depth: number,
): unknown {
  const expect = (expected: number): void => {
    if (wireType !== expected) throw new RangeError(`wire type ${wireType} instead of ${expected}`);
  };
  const nested = (name: MessageName, bytes: Uint8Array): Content => readMessage(wire, bytes, name, depth + 1);
  if (type === 'message' || type === '[message]') {
    expect(BYTES);
    const one = nested(message as MessageName, reader.bytes());
    return type === 'message' ? one : appended(before, [one]);
  }
  if (type === 'map') {
    expect(BYTES);
    const [key, value] = readEntry(wire, reader.bytes());
    const read = message === 'string' ? new TextDecoder().decode(value) : nested(message as MessageName, value);
    return Object.assign(before ?? Object.create(null), { [key]: read });
  }
  const element = elementOf(type);
  const { wire: own, read } = KINDS[element ?? (type as Kind)];
  if (element !== undefined && own !== BYTES && wireType === BYTES) {
    const packed = new wire.BinaryReader(reader.bytes());
    const values: unknown[] = [];
    while (packed.pos < packed.len) values.push(read(packed));
    return appended(before, values);
  }
  expect(own);
  const value = read(reader);
  return element === undefined ? value : appended(before, [value]);
}

function appended(before: unknown, values: readonly unknown[]): unknown[] {
  const list = (before ?? []) as unknown[];
  for (const value of values) list.push(value);
  return list;
}

/** Key and value, still in bytes, of an entry of a map. */
function readEntry(wire: Wire, bytes: Uint8Array): [key: string, value: Uint8Array] {
  const reader = new wire.BinaryReader(bytes);
  let key = '';
  let value: Uint8Array = new Uint8Array();
  while (reader.pos < reader.len) {
    const [id, wireType] = reader.tag();
    if (wireType !== BYTES) throw new RangeError(`wire type ${wireType} in an entry of a map`);
    if (id === 1) key = reader.string();
    else if (id === 2) value = reader.bytes();
    else reader.bytes();
  }
  return [key, value];
}
