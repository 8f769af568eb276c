/** Writes PyTorch files for tests, right ones and, piece by piece, wrong ones. */
import type { Element } from '../src/checkpoint/elements.ts';
import type { StateDict } from '../src/core/tensor.ts';
import { type Files, zip } from './e2e/archives.ts';

const bytes = (...codes: number[]): Buffer => Buffer.from(codes);
const uint32 = (value: number): Buffer => {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value >>> 0);
  return buffer;
};

/** What a pickle is made of: instructions, or what becomes some. */
export type Piece = null | boolean | number | bigint | string | Buffer | readonly Piece[] | ReadonlyMap<Piece, Piece>;

/** The global of a module. */
export const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);
/** A call of a function. */
export const call = (fn: Buffer, ...args: Piece[]): Buffer => Buffer.concat([fn, tuple(...args), bytes(0x52)]);
export const tuple = (...items: Piece[]): Buffer => Buffer.concat([bytes(0x28), ...items.map(piece), bytes(0x74)]);
/** A reference to what lies outside of the pickle. */
export const persistent = (id: Piece): Buffer => Buffer.concat([piece(id), bytes(0x51)]);

/** The instructions that make a value; Buffers are instructions already, arrays become lists, Maps dictionaries. */
export function piece(value: Piece): Buffer {
  if (Buffer.isBuffer(value)) return value;
  if (value === null) return bytes(0x4e);
  if (typeof value === 'boolean') return bytes(value ? 0x88 : 0x89);
  if (typeof value === 'string') {
    const text = Buffer.from(value);
    return Buffer.concat([bytes(0x58), uint32(text.length), text]);
  }
  if (typeof value === 'bigint' || (typeof value === 'number' && value !== (value | 0))) {
    const digits = BigInt.asUintN(128, BigInt(value)).toString(16).padStart(32, '0');
    return Buffer.concat([bytes(0x8a, 16), Buffer.from(digits, 'hex').reverse()]);
  }
  if (typeof value === 'number') return Buffer.concat([bytes(0x4a), uint32(value)]);
  if (value instanceof Map) {
    const items = [...value].flatMap(([key, item]) => [piece(key), piece(item)]);
    return Buffer.concat([bytes(0x7d, 0x28), ...items, bytes(0x75)]);
  }
  return Buffer.concat([bytes(0x5d, 0x28), ...(value as readonly Piece[]).map(piece), bytes(0x65)]);
}

/** A whole pickle of protocol 2. */
export const pickle = (value: Piece): Buffer => Buffer.concat([bytes(0x80, 2), piece(value), bytes(0x2e)]);

const STORAGE: Partial<Record<Element, string>> = { F32: 'FloatStorage', F16: 'HalfStorage', F64: 'DoubleStorage' };
export const storage = (key: string, elements: number, element: Element = 'F32'): Buffer =>
  persistent(tuple('storage', global('torch', STORAGE[element]!), key, 'cpu', elements));

/** A tensor as torch.save describes it; parts can be put wrong. */
export function tensorPiece(
  of: Buffer,
  shape: readonly Piece[],
  { offset = 0, strides }: { readonly offset?: Piece; readonly strides?: readonly Piece[] } = {},
): Buffer {
  const dense = shape.map((_, i) => shape.slice(i + 1).reduce<number>((n, d) => n * Number(d), 1));
  const hooks = call(global('collections', 'OrderedDict'));
  const rebuild = global('torch._utils', '_rebuild_tensor_v2');
  return call(rebuild, of, offset, tuple(...shape), tuple(...(strides ?? dense)), false, hooks);
}

/** A state dict as a piece, and the bytes of its storages by key. */
export function statePieces(state: StateDict): { dict: Map<Piece, Piece>; storages: [key: string, data: Buffer][] } {
  const entries = [...state].map(([name, { shape, data }], i) => {
    const { buffer, byteOffset, byteLength } = data;
    return { name, key: String(i), shape, length: data.length, bytes: Buffer.from(buffer, byteOffset, byteLength) };
  });
  return {
    dict: new Map(entries.map(({ name, key, shape, length }) => [name, tensorPiece(storage(key, length), shape)])),
    storages: entries.map(({ key, bytes: data }) => [key, data]),
  };
}

/** A file as torch.save writes it: a description, and files for storages. */
export function torchZip(
  root: Piece,
  storages: readonly (readonly [key: string, data: Uint8Array])[],
  more: Files = [],
): Buffer {
  const files: Files = [
    ['archive/data.pkl', pickle(root)],
    ...storages.map(([key, data]) => [`archive/data/${key}`, data] as const),
    ['archive/version', Buffer.from('3\n')],
    ...more,
  ];
  return zip(files, { stored: true });
}

/** A file in the format before PyTorch 1.6. */
export function torchLegacy(
  root: Piece,
  storages: readonly (readonly [key: string, data: Uint8Array])[],
  size = 4,
): Buffer {
  const system = new Map<Piece, Piece>([['little_endian', true]]);
  const chunks = storages.flatMap(([, data]) => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(data.length / size));
    return [length, Buffer.from(data)];
  });
  const head = [0x1950a86a20f9469cfc6cn, 1001, system, root, storages.map(([key]) => key)].map((value) =>
    pickle(value),
  );
  return Buffer.concat([...head, ...chunks]);
}
