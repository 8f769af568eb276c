/**
 * Reads what torch.save wrote, as data: the zip archive of PyTorch 1.6 and later (`data.pkl`, and a file for each
 * storage), and the earlier format (several pickles in a row, then the storages). Storages are read when a tensor is.
 */
import type { ByteSource } from '../../core/byte-source.ts';
import { UserError } from '../../core/errors.ts';
import type { EncodedPart } from '../../data/dataset.ts';
import { zipEntries } from '../../data/readers/zip-index.ts';
import { bytesPer, type Element } from '../elements.ts';
import { brokenPickle } from './broken.ts';
import { type ByteReader, byteReader } from './byte-reader.ts';
import { findGlobal, storageElement } from './globals.ts';
import { isGlobal, type PickleHost, readPickle } from './pickle.ts';
import { fileBudget, type Storage } from './storage.ts';

/** The number with which files before PyTorch 1.6 begin. */
const MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
/** Of a checkpoint of S4 with its optimizer it has some 500 kB. */
const MOST_PICKLE = 1 << 26;

interface StorageId {
  readonly key: string;
  readonly element: Element | 'other';
  readonly length: number;
}

/** Reads ('storage', type, key, device, elements[, view]), which is all that PyTorch names so. */
function storageId(id: unknown): StorageId {
  const [kind, type, key, , length, view = null] = Array.isArray(id) ? (id as unknown[]) : [];
  const element = isGlobal(type) ? storageElement(type.global) : undefined;
  if (kind !== 'storage' || element === undefined || typeof key !== 'string')
    throw brokenPickle('it refers to something that is no storage');
  if (!Number.isSafeInteger(length) || (length as number) < 0)
    throw brokenPickle('a storage in it has no valid length');
  if (view !== null) throw brokenPickle('it is of a PyTorch before 0.4');
  return { key, element, length: length as number };
}

const bytesOf = ({ element, length }: StorageId): number => length * (element === 'other' ? 1 : bytesPer(element));

/** What a file in the zip format holds. Throws a UserError for a damaged one, and for archives of other kinds. */
export function readTorchZip(file: ByteSource): unknown {
  const parts = zipEntries({ ...sourceOf(file), wrong: (why) => brokenPickle(`it ${why}`) });
  const byName = new Map(parts.map((part) => [part.name, part]));
  const pickle = parts.find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (!pickle) throw notTorch(parts);
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  if (byName.has(`${folder}constants.pkl`)) throw torchScript();
  const budget = fileBudget(file.size);
  const bigEndian = byteOrder(file, byName.get(`${folder}byteorder`)) === 'big';
  const host: PickleHost = {
    find: findGlobal,
    load(id): Storage {
      const named = storageId(id);
      const part = byName.get(`${folder}data/${named.key}`);
      if (!part) throw brokenPickle(`the storage ${JSON.stringify(named.key.slice(0, 80))} is missing`);
      const { offset, bytes } = stored(part);
      if (bytesOf(named) > bytes)
        throw brokenPickle(`a storage in it should have ${bytesOf(named)} bytes, and has ${bytes}`);
      return { ...named, storage: named.key, bigEndian, file, start: () => offset, budget };
    },
  };
  return readPickle(within(file, stored(pickle)), host);
}

const sourceOf = (file: ByteSource): ByteSource => ({
  size: file.size,
  read: (offset, length) => {
    if (!(offset >= 0 && length >= 0 && offset + length <= file.size)) throw brokenPickle('it is damaged or cut off');
    return file.read(offset, length);
  },
});

/** PyTorch never compresses: an entry that is would have to be inflated first, to whatever size it claims. */
function stored(part: EncodedPart): EncodedPart {
  if (part.inflated === undefined) return part;
  throw new UserError(
    "This PyTorch file can't be read: it was packed anew with compression, which PyTorch does not use.",
    'Unpack it and pack it without compression (zip -0 -r), or take the original file.',
  );
}

/** A reader of one entry of an archive, which ends where the entry does. */
function within(file: ByteSource, { offset, bytes }: EncodedPart): ByteReader {
  if (bytes > MOST_PICKLE) throw brokenPickle(`its description has ${bytes} bytes, which no weights need`);
  return byteReader({ size: offset + bytes, read: (at, length) => file.read(at, length) }, offset);
}

function byteOrder(file: ByteSource, part: EncodedPart | undefined): string {
  if (!part) return 'little';
  const { offset, bytes } = stored(part);
  const order = bytes <= 8 ? new TextDecoder().decode(file.read(offset, bytes)).trim() : '';
  if (order !== 'little' && order !== 'big') throw brokenPickle('it does not say its byte order');
  return order;
}

function torchScript(): UserError {
  return new UserError(
    'This file is a TorchScript program, not a file of weights.',
    'Write its weights in Python, torch.save(torch.jit.load(FILE).state_dict(), "weights.pth"), and name that file.',
  );
}

function notTorch(parts: readonly EncodedPart[]): UserError {
  if (parts.some(({ name }) => name.endsWith('.npy')))
    return new UserError('This file holds NumPy arrays, not a PyTorch checkpoint.', 'Name a .pth, .pt or .bin file.');
  return new UserError(
    'This file is a zip archive, but none that PyTorch wrote: it has no data.pkl.',
    'If there is a file of weights in it, unpack it and name that file.',
  );
}

/** Whether bytes begin a pickle, as files of PyTorch before 1.6 do. */
export function beginsPickle(head: Uint8Array): boolean {
  return head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5;
}

/** What a file of the format before PyTorch 1.6 holds. Throws a UserError for a damaged file and for any other pickle. */
export function readTorchLegacy(file: ByteSource): unknown {
  const input = byteReader(file);
  const nothing: PickleHost = {
    find: findGlobal,
    load: () => {
      throw brokenPickle('it has a storage before its description');
    },
  };
  if (readPickle(input, nothing) !== MAGIC)
    throw new UserError(
      'This file is a Python pickle, but none that PyTorch wrote.',
      'Name a file that torch.save made, or write its arrays as safetensors in Python.',
    );
  if (readPickle(input, nothing) !== LEGACY_PROTOCOL) throw brokenPickle('its format is unknown');
  const system = readPickle(input, nothing);
  const bigEndian = system instanceof Map && system.get('little_endian') === false;
  const budget = fileBudget(file.size);
  const ids = new Map<string, StorageId>();
  const starts = new Map<string, number>();
  const host: PickleHost = {
    find: findGlobal,
    load(id): Storage {
      const named = storageId(id);
      const known = ids.get(named.key);
      if (known && (known.element !== named.element || known.length !== named.length))
        throw brokenPickle('it describes a storage in two ways');
      if (bytesOf(named) > file.size) throw brokenPickle(`a storage in it should have ${bytesOf(named)} bytes`);
      ids.set(named.key, named);
      return { ...named, storage: named.key, bigEndian, file, start: () => starts.get(named.key)!, budget };
    },
  };
  const root = readPickle(input, host);
  const keys = readPickle(input, nothing);
  findStorages(file, { at: input.position, keys, bigEndian, ids }, starts);
  return root;
}

interface Listed {
  readonly at: number;
  readonly keys: unknown;
  readonly bigEndian: boolean;
  readonly ids: ReadonlyMap<string, StorageId>;
}

/** Where the storages lie: one after the other in the order of the keys, each behind its length in 8 bytes. */
function findStorages(file: ByteSource, { at, keys, bigEndian, ids }: Listed, starts: Map<string, number>): void {
  if (!Array.isArray(keys)) throw brokenPickle('it does not list its storages');
  let position = at;
  for (const key of keys) {
    const id = typeof key === 'string' ? ids.get(key) : undefined;
    if (!id || starts.has(id.key)) throw brokenPickle('it lists a storage that it does not describe');
    if (position + 8 > file.size) throw brokenPickle('it is cut off');
    const length = new DataView(file.read(position, 8).buffer).getBigUint64(0, !bigEndian);
    if (length !== BigInt(id.length))
      throw brokenPickle(`a storage in it should have ${id.length} elements, and has ${length}`);
    // Complex numbers, of which nothing is read, take 8 bytes or 16: their file can't be read further.
    if (id.element === 'other') throw brokenPickle('it holds complex numbers');
    starts.set(id.key, position + 8);
    position += 8 + bytesOf(id);
    if (position > file.size) throw brokenPickle('it is cut off');
  }
  if (starts.size !== ids.size) throw brokenPickle('it lists fewer storages than it describes');
}
