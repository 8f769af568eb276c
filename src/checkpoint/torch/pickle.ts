/**
 * Reads Python pickles as data (protocols 2 to 5, docs.python.org/3/library/pickletools.html). Nothing is ever run: a
 * global is looked up in the host's list, and refused if it is not there. The machine is our own rather than the package
 * pickleparser because it bounds its work: every instruction, copied value and container is charged to one budget, so that
 * no file takes long or much memory whatever it says. What comes out: None as null, numbers, texts, bytes as Uint8Array;
 * tuples, lists and sets as arrays, dictionaries as Maps; and what the host makes.
 */

import { brokenPickle } from './broken.ts';
import type { ByteReader } from './byte-reader.ts';

/** A class or function that a pickle names. */
export interface Global {
  readonly global: string;
  /** What calling it gives; undefined for what is only named. Lists that it copies must be charged. */
  readonly call: ((args: readonly unknown[], charge: (work: number) => void) => unknown) | undefined;
}

/** An object of a kind that is allowed but of no use here: it stands where it stood, and what it held is dropped. */
export interface Opaque {
  readonly opaque: string;
}

export interface PickleHost {
  /** The global of a full name; throws a UserError for one that is not allowed. */
  find(name: string): Global;
  /** What a persistent id stands for, such as a storage. */
  load(id: unknown): unknown;
}

/** Work that one pickle may take. A checkpoint of S0 with averaged weights and an optimizer takes 760,000. */
const MOST_WORK = 8_000_000;
const CONTAINER = 16;
const MOST_BYTES = 1 << 24;
const MOST_NAME = 500;
const MOST_LONG = 64;

/** Whether a value is an object of a class or function of a pickle. */
export const isGlobal = (value: unknown): value is Global =>
  typeof value === 'object' && value !== null && 'global' in value;
export const isOpaque = (value: unknown): value is Opaque =>
  typeof value === 'object' && value !== null && 'opaque' in value;

interface Machine {
  readonly input: ByteReader;
  readonly host: PickleHost;
  readonly stack: unknown[];
  /** Heights of the stack at the marks. */
  readonly marks: number[];
  readonly memo: Map<number, unknown>;
  charge(work: number): void;
}

function pop({ stack, marks }: Machine): unknown {
  if (stack.length <= (marks.at(-1) ?? 0)) throw brokenPickle('it takes a value that is not there');
  return stack.pop();
}

/** The values above the last mark, which goes too. */
function popMark(m: Machine): unknown[] {
  const height = m.marks.pop();
  if (height === undefined) throw brokenPickle('it takes a mark that is not there');
  return m.stack.splice(height);
}

function top({ stack, marks }: Machine): unknown {
  if (stack.length <= (marks.at(-1) ?? 0)) throw brokenPickle('it takes a value that is not there');
  return stack.at(-1);
}

function push(m: Machine, value: unknown): void {
  m.stack.push(value);
}

function pushNew(m: Machine, value: unknown): void {
  m.charge(CONTAINER);
  m.stack.push(value);
}

/** An unsigned little-endian number of so many bytes. */
function count(m: Machine, size: number): number {
  const bytes = m.input.bytes(size);
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
  return value;
}

function bytes(m: Machine, length: number): Uint8Array {
  if (length > MOST_BYTES) throw brokenPickle(`it has ${length} bytes in one text or array, which no weights need`);
  m.charge(CONTAINER + (length >> 6));
  return m.input.bytes(length);
}

const text = (m: Machine, length: number): string => new TextDecoder().decode(bytes(m, length));

/** A signed little-endian number: a number where it is exact as such, else a bigint. */
function long(m: Machine, length: number): number | bigint {
  if (length > MOST_LONG) throw brokenPickle(`it has a number of ${length} bytes`);
  let value = 0n;
  for (const byte of [...m.input.bytes(length)].reverse()) value = value * 256n + BigInt(byte);
  const signed = BigInt.asIntN(8 * length, value);
  return signed === BigInt(Number(signed)) && Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
}

function append(m: Machine, items: readonly unknown[]): void {
  const target = top(m);
  if (isOpaque(target)) return;
  if (!Array.isArray(target)) throw brokenPickle('it appends to what is no list');
  m.charge(items.length);
  for (const item of items) target.push(item);
}

function setItems(m: Machine, items: readonly unknown[]): void {
  const target = top(m);
  if (isOpaque(target)) return;
  if (!(target instanceof Map) || items.length % 2 !== 0) throw brokenPickle('it fills what is no dictionary');
  m.charge(items.length);
  for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
}

/** Keys and values, one after the other, as a dictionary. */
function dictionary(m: Machine, items: readonly unknown[]): void {
  pushNew(m, new Map());
  setItems(m, items);
}

/** What a pickle calls: only what the host listed can be called, and it gets data. */
function call(m: Machine, args: unknown): void {
  const target = pop(m);
  if (!isGlobal(target) || !target.call) throw brokenPickle('it calls what is no function');
  if (!Array.isArray(args)) throw brokenPickle('it calls a function without arguments');
  pushNew(m, target.call(args, m.charge));
}

function remember(m: Machine, index: number): void {
  m.charge(1);
  m.memo.set(index, top(m));
}

function recall(m: Machine, index: number): void {
  if (!m.memo.has(index)) throw brokenPickle('it refers to a value that it does not have');
  push(m, m.memo.get(index));
}

const decode = (name: Uint8Array): string => new TextDecoder().decode(name);

function stackGlobal(m: Machine): Global {
  const name = pop(m);
  const module = pop(m);
  if (typeof name !== 'string' || typeof module !== 'string')
    throw brokenPickle('it names a global by what is no text');
  return m.host.find(`${module}.${name}`);
}

function protocol(version: number): void {
  if (version > 5) throw brokenPickle(`it is a pickle of protocol ${version}; 5 is the newest known`);
}

const tuple =
  (length: number) =>
  (m: Machine): void => {
    const items: unknown[] = [];
    for (let i = 0; i < length; i++) items.unshift(pop(m));
    pushNew(m, items);
  };

/** What each instruction does. Those of protocols 0 and 1 that PyTorch never writes, and INST, OBJ and EXT, are not here. */
const makeInstructions = (): ReadonlyMap<number, (m: Machine) => void> =>
  new Map<number, (m: Machine) => void>([
    [0x80, (m) => protocol(m.input.byte())], // PROTO
    [0x95, (m) => void m.input.bytes(8)], // FRAME
    [0x28, (m) => void m.marks.push(m.stack.length)], // MARK
    [0x30, (m) => void pop(m)],
    [0x31, (m) => void popMark(m)],
    [0x32, (m) => push(m, top(m))], // DUP
    [0x4e, (m) => push(m, null)],
    [0x88, (m) => push(m, true)],
    [0x89, (m) => push(m, false)],
    [0x4a, (m) => push(m, count(m, 4) | 0)], // BININT
    [0x4b, (m) => push(m, count(m, 1))],
    [0x4d, (m) => push(m, count(m, 2))],
    [0x8a, (m) => push(m, long(m, count(m, 1)))], // LONG1
    [0x8b, (m) => push(m, long(m, count(m, 4)))],
    [0x47, (m) => push(m, new DataView(Uint8Array.from(m.input.bytes(8)).buffer).getFloat64(0))], // BINFLOAT
    [0x8c, (m) => push(m, text(m, count(m, 1)))], // SHORT_BINUNICODE
    [0x58, (m) => push(m, text(m, count(m, 4)))],
    [0x8d, (m) => push(m, text(m, count(m, 8)))],
    [0x55, (m) => push(m, text(m, count(m, 1)))], // SHORT_BINSTRING, of Python 2
    [0x54, (m) => push(m, text(m, count(m, 4)))],
    [0x43, (m) => push(m, Uint8Array.from(bytes(m, count(m, 1))))], // SHORT_BINBYTES
    [0x42, (m) => push(m, Uint8Array.from(bytes(m, count(m, 4))))],
    [0x8e, (m) => push(m, Uint8Array.from(bytes(m, count(m, 8))))],
    [0x96, (m) => push(m, Uint8Array.from(bytes(m, count(m, 8))))], // BYTEARRAY8
    [0x29, tuple(0)],
    [0x85, tuple(1)],
    [0x86, tuple(2)],
    [0x87, tuple(3)],
    [0x74, (m) => pushNew(m, popMark(m))], // TUPLE
    [0x5d, (m) => pushNew(m, [])], // EMPTY_LIST
    [0x6c, (m) => pushNew(m, popMark(m))], // LIST
    [0x61, (m) => append(m, [pop(m)])],
    [0x65, (m) => append(m, popMark(m))], // APPENDS
    [0x8f, (m) => pushNew(m, [])], // EMPTY_SET
    [0x90, (m) => append(m, popMark(m))], // ADDITEMS
    [0x91, (m) => pushNew(m, popMark(m))], // FROZENSET
    [0x7d, (m) => dictionary(m, [])], // EMPTY_DICT
    [0x64, (m) => dictionary(m, popMark(m))], // DICT
    [0x73, (m) => setItems(m, [pop(m), pop(m)].reverse())], // SETITEM
    [0x75, (m) => setItems(m, popMark(m))], // SETITEMS
    [0x71, (m) => remember(m, count(m, 1))], // BINPUT
    [0x72, (m) => remember(m, count(m, 4))],
    [0x94, (m) => remember(m, m.memo.size)], // MEMOIZE
    [0x68, (m) => recall(m, count(m, 1))], // BINGET
    [0x6a, (m) => recall(m, count(m, 4))],
    [0x63, (m) => push(m, m.host.find(`${decode(m.input.line(MOST_NAME))}.${decode(m.input.line(MOST_NAME))}`))], // GLOBAL
    [0x93, (m) => push(m, stackGlobal(m))], // STACK_GLOBAL
    [0x52, (m) => call(m, pop(m))], // REDUCE
    [0x81, (m) => call(m, pop(m))], // NEWOBJ
    [0x92, (m) => call(m, [pop(m), pop(m)].at(1))], // NEWOBJ_EX, whose named arguments are dropped
    [0x62, (m) => void pop(m)], // BUILD: attributes, which no data has
    [0x51, (m) => pushNew(m, m.host.load(pop(m)))], // BINPERSID
  ]);

/** Made when first asked for, so that pages, which read no such files, are spared it. */
let instructions: ReadonlyMap<number, (m: Machine) => void> | undefined;

const STOP = 0x2e;

/** Reads the pickle that begins where a reader stands. Throws a UserError for anything that is none or is not allowed. */
export function readPickle(input: ByteReader, host: PickleHost): unknown {
  let work = 0;
  const charge = (amount: number): void => {
    work += amount;
    if (work > MOST_WORK) throw brokenPickle('it asks for more work than any weights need; it may be made to do harm');
  };
  const m: Machine = { input, host, stack: [], marks: [], memo: new Map(), charge };
  instructions ??= makeInstructions();
  for (let code = input.byte(); code !== STOP; code = input.byte()) {
    charge(1);
    const run = instructions.get(code);
    if (!run) throw brokenPickle(`it has an instruction (0x${code.toString(16)}) that PyTorch does not write`);
    run(m);
  }
  return pop(m);
}
