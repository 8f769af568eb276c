/** Files of weights that are made to do harm, or are of other kinds: each is refused by a message, within bounds. It is long for its tables of cases. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decodeModel, modelGraph } from '../../src/checkpoint/model-file.ts';
import { encodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import type { UserError } from '../../src/core/errors.ts';
import { VARIANTS } from '../../src/models/mobileone.ts';
import { zip } from '../e2e/archives.ts';
import {
  call,
  global,
  type Piece,
  persistent,
  pickle,
  piece,
  storage,
  tensorPiece,
  torchLegacy,
  torchZip,
  tuple,
} from '../torch-writer.ts';

const message = (bytes: Uint8Array): string => {
  try {
    decodeModel(bytes);
  } catch (error) {
    expect(`${(error as Error).name} ${(error as Error).stack}`).toMatch(/^UserError/);
    expect((error as UserError).hint).not.toBe('');
    return (error as Error).message;
  }
  return expect.fail('nothing was thrown');
};
const op = (...codes: number[]): Buffer => Buffer.from(codes);
const raw = (...parts: Buffer[]): Buffer => Buffer.concat([op(0x80, 2), ...parts, op(0x2e)]);
const inZip = (description: Buffer): Buffer => zip([['archive/data.pkl', description]], { stored: true });
const stackGlobal = (module: string, name: string): Buffer => Buffer.concat([piece(module), piece(name), op(0x93)]);
const newObject = (cls: Buffer, ...args: Piece[]): Buffer => Buffer.concat([cls, tuple(...args), op(0x81)]);

/** Where a harmful piece may stand: by itself, in a wrapper, among weights, as what a tensor is made from. */
const PLACES: Readonly<Record<string, (evil: Buffer) => Piece>> = {
  alone: (evil) => evil,
  'beside weights': (evil) =>
    new Map<Piece, Piece>([
      ['state_dict', new Map()],
      ['optimizer', evil],
    ]),
  'as a key': (evil) => new Map([[evil, 1]]),
  'as a storage': (evil) => new Map([['w', tensorPiece(evil, [1])]]),
  'in a persistent id': (evil) => persistent(tuple('storage', evil, '0', 'cpu', 1)),
  'as attributes': (evil) => Buffer.concat([call(global('collections', 'OrderedDict')), evil, op(0x62)]),
};

const EVIL: Readonly<Record<string, Buffer>> = {
  'posix.system': call(global('posix', 'system'), 'echo harm'),
  'os.system': call(stackGlobal('os', 'system'), 'echo harm'),
  'nt.system': call(global('nt', 'system'), 'calc'),
  'subprocess.Popen': newObject(global('subprocess', 'Popen'), 'sh'),
  'builtins.eval': call(global('builtins', 'eval'), '1'),
  '__builtin__.getattr': call(global('__builtin__', 'getattr'), 1, 'x'),
  'builtins.getattr': call(call(global('builtins', 'getattr'), 1, '__class__'), 'x'),
  'torch._utils._rebuild_tensor_v2.__globals__': stackGlobal('torch._utils', '_rebuild_tensor_v2.__globals__'),
  'collections.OrderedDict.__class__': stackGlobal('collections', 'OrderedDict.__class__'),
  'torch.FloatStorage.from_file': call(stackGlobal('torch', 'FloatStorage.from_file'), '/etc/passwd'),
  'torch.storage._load_from_bytes': call(global('torch.storage', '_load_from_bytes'), 'x'),
  'torch.hub.load': call(global('torch.hub', 'load'), 'x', 'y'),
  'torch.constructor': global('torch', 'constructor'),
  '__proto__.x': global('__proto__', 'x'),
  'timm.models.byobnet.ByobNet': newObject(global('timm.models.byobnet', 'ByobNet')),
};

test.each(Object.keys(EVIL))('%s is refused by its name wherever it stands', (name) => {
  for (const place of Object.values(PLACES)) {
    for (const file of [torchZip(place(EVIL[name]!), []), torchLegacy(place(EVIL[name]!), [])])
      expect(message(file)).toContain(`The file asks Python for "${name}"`);
  }
});

test('what is allowed can be called with anything, and does nothing', () => {
  const harmless = ['builtins.set', 'argparse.Namespace', 'pathlib.PosixPath', '_codecs.encode', 'numpy.dtype'];
  for (const name of harmless) {
    const [module, attribute] = [name.slice(0, name.lastIndexOf('.')), name.slice(name.lastIndexOf('.') + 1)];
    const made = call(global(module!, attribute!), 'echo harm', 2, null);
    expect(message(torchZip(new Map([['a', made]]), []))).toMatch(/holds no table of tensors/);
    // What comes of it is data, which can be neither called nor filled.
    expect(message(torchZip(call(made, 1), []))).toMatch(/calls what is no function/);
  }
  const weights = global('torch', 'FloatStorage');
  expect(message(torchZip(call(weights, 10 ** 9), []))).toMatch(/calls what is no function/);
});

const four = Buffer.alloc(16);
const tensor = (shape: readonly Piece[], more = {}): Piece => tensorPiece(storage('0', 4), shape, more);
const one = (value: Piece): Buffer => torchZip(new Map([['stem.reparam_conv.weight', value]]), [['0', four]]);

const BROKEN: Readonly<Record<string, readonly [file: () => Buffer, said: RegExp]>> = {
  'a shape larger than its storage': [() => one(tensor([5])), /shape \[5\] in it lies outside its storage/],
  'an absurd shape': [() => one(tensor([2 ** 31 - 1, 2 ** 31 - 1, 2 ** 31 - 1])), /no valid shape|lies outside/],
  'an absurd shape that shows one number': [
    () => one(tensor([2 ** 30, 3, 3, 3], { strides: [0, 0, 0, 0] })),
    /not hold a MobileOne|do not fit|far more elements|no block/,
  ],
  'a dimension of no exact number': [() => one(tensor([2n ** 60n])), /no valid shape/],
  'a negative dimension': [() => one(tensor([-1])), /no valid shape/],
  'a negative offset': [() => one(tensor([1], { offset: -1 })), /no valid shape/],
  'an offset behind the end': [() => one(tensor([1], { offset: 4 })), /lies outside/],
  'negative strides': [() => one(tensor([2], { strides: [-1] })), /no valid shape/],
  'fewer strides than dimensions': [() => one(tensor([2, 2], { strides: [1] })), /no valid shape/],
  'a hundred dimensions': [() => one(tensor(Array(100).fill(1))), /no valid shape/],
  'a text as shape': [() => one(tensor(['x'])), /no valid shape/],
  'a storage that is missing': [() => one(tensorPiece(storage('1', 4), [4])), /storage "1" is missing/],
  'a storage that is cut off': [() => one(tensorPiece(storage('0', 5), [5])), /should have 20 bytes, and has 16/],
  'a storage outside the archive': [
    () => one(tensorPiece(storage('../../../../etc/passwd', 4), [4])),
    /storage "..\/..\/..\/..\/etc\/passwd" is missing/,
  ],
  'a storage of a length that is none': [() => one(tensorPiece(storage('0', -4), [4])), /no valid length/],
  'a storage of complex numbers': [
    () => one(tensorPiece(persistent(tuple('storage', global('torch', 'ComplexFloatStorage'), '0', 'cpu', 1)), [1])),
    /no table of tensors/,
  ],
  'a reference to what is no storage': [() => one(persistent(tuple('module', 'x'))), /no storage/],
  'a tensor of no storage': [() => one(tensorPiece(piece(null), [1])), /no storage/],
  'no weights': [() => torchZip(new Map([['epoch', 3]]), []), /no table of tensors/],
  'a number instead of a table': [() => torchZip(3, []), /no table of tensors/],
  'a table within itself': [
    () => inZip(raw(op(0x7d, 0x71, 0), piece('model'), op(0x68, 0, 0x73))),
    /no table of tensors/,
  ],
  'two sets of weights': [
    () =>
      torchZip(
        new Map([
          ['a', new Map([['w', tensor([1])]])],
          ['b', new Map([['w', tensor([1])]])],
        ]),
        [['0', four]],
      ),
    /several sets of weights: a, b/,
  ],
  'weights of another network': [() => one(tensor([4])), /does not hold a MobileOne model/],
  'an instruction of protocol 0': [() => inZip(raw(Buffer.from('I1\n'))), /instruction \(0x49\)/],
  'an instruction that makes objects': [() => inZip(raw(Buffer.from('(ios\nsystem\n'))), /instruction \(0x69\)/],
  'a protocol of the future': [() => inZip(Buffer.from([0x80, 6, 0x4e, 0x2e])), /protocol 6/],
  'a pickle without end': [() => inZip(op(0x80, 2, 0x4e)), /ends in the middle/],
  'a text longer than the file': [() => inZip(raw(op(0x58, 0xff, 0xff, 0, 0))), /ends in the middle/],
  'a text of gigabytes': [() => inZip(raw(op(0x8d, 0, 0, 0, 0, 1, 0, 0, 0))), /bytes in one text/],
  'a number of megabytes': [() => inZip(raw(op(0x8b, 0, 0, 16, 0))), /number of 1048576 bytes/],
  'a name without end': [() => inZip(raw(Buffer.from(`c${'x'.repeat(5000)}`))), /name in it has no end/],
  'a name that is no text': [() => inZip(raw(piece([1]), piece('x'), op(0x93))), /by what is no text/],
  'values that are not there': [() => inZip(raw(op(0x52))), /takes a value that is not there/],
  'values below a mark': [() => inZip(raw(op(0x4e, 0x28, 0x30))), /takes a value that is not there/],
  'a mark that is not there': [() => inZip(raw(op(0x74))), /takes a mark that is not there/],
  'a memory that is not there': [() => inZip(raw(op(0x68, 9))), /refers to a value/],
  'items of what is no list': [() => inZip(raw(op(0x4e, 0x4e, 0x61))), /no list/],
  'items of what is no dictionary': [() => inZip(raw(op(0x5d, 0x4e, 0x4e, 0x73))), /no dictionary/],
  'a byte order that is none': [
    () => torchZip(new Map([['w', tensor([4])]]), [['0', four]], [['archive/byteorder', Buffer.from('middle')]]),
    /byte order/,
  ],
  'a TorchScript program': [
    () => torchZip(new Map([['w', tensor([4])]]), [['0', four]], [['archive/constants.pkl', Buffer.alloc(1)]]),
    /TorchScript program/,
  ],
};

test.each(Object.keys(BROKEN))('refused: %s', (name) => {
  const [file, said] = BROKEN[name]!;
  expect(message(file())).toMatch(said);
});

/** Bytes that ask for far more than they are. */
const BOMBS: Readonly<Record<string, () => Buffer>> = {
  'a million dictionaries': () => raw(Buffer.alloc(2 ** 20, 0x7d)),
  'a million copies': () => raw(op(0x5d), Buffer.alloc(9 * 2 ** 20, 0x32)),
  'a million marks': () => raw(Buffer.alloc(9 * 2 ** 20, 0x28)),
  'a deep nest': () => raw(Buffer.alloc(2 ** 20, 0x5d), Buffer.alloc(2 ** 20, 0x61)),
  'a list that is copied over and over': () =>
    raw(
      op(0x5d, 0x28),
      Buffer.alloc(100_000, 0x4e),
      op(0x65, 0x71, 0),
      ...Array.from({ length: 1000 }, () =>
        Buffer.concat([global('collections', 'OrderedDict'), op(0x68, 0, 0x85, 0x52)]),
      ),
    ),
  'doubling to the power of a thousand': () => raw(op(0x5d), Buffer.alloc(400_000, op(0x32, 0x86))),
  'texts of megabytes': () => {
    const text = Buffer.concat([op(0x58, 0, 0, 0xf0, 0), Buffer.alloc(0xf0_0000)]);
    return raw(...Array(4).fill(text));
  },
};

test.each(Object.keys(BOMBS))('bounded: %s', (name) => {
  expect(message(inZip(BOMBS[name]!()))).toMatch(/more work|not there|bytes in one text|no table|no list/);
});

test('a nested value is never walked down', () => {
  const depth = 60_000;
  const nest = Buffer.concat([Buffer.alloc(depth, 0x5d), Buffer.alloc(depth - 1, 0x61)]);
  const beside = new Map<Piece, Piece>([
    ['meta', new Map<Piece, Piece>([['CLASSES', nest]])],
    ['state_dict', new Map([['w', tensor([4])]])],
  ]);
  expect(message(torchZip(beside, [['0', four]]))).toMatch(/does not hold a MobileOne/);
});

test('views that show or span much more than the file has are bounded', () => {
  // A whole network, which four numbers over and over make: hundreds of millions of them.
  const shown = new Map<Piece, Piece>();
  const block = (name: string, shape: readonly number[]): void => {
    shown.set(`${name}.reparam_conv.weight`, tensor(shape, { strides: shape.map(() => 0) }));
    shown.set(`${name}.reparam_conv.bias`, tensor([shape[0]!], { strides: [0] }));
  };
  block('stem', [64, 3, 3, 3]);
  [64, 4096, 8192, 16384].forEach((channels, s) => {
    block(`stages.${s}.0`, [channels, 1, 3, 3]);
    block(`stages.${s}.1`, [64 * 2 ** (6 + s), channels, 1, 1]);
  });
  expect(message(torchZip(shown, [['0', four]]))).toMatch(/far more elements/);
  // A small one whose every weight lies far apart in one large storage, so that each would read all of it.
  const spread = new Map<Piece, Piece>();
  const length = 1_000_000;
  const of = storage('0', length);
  for (const [name, { shape }] of Object.entries(modelGraph(SMALL, 'train').params)) {
    const size = shape.reduce((n, d) => n * d, 1);
    const step = Math.floor((length - 1) / size);
    const strides = shape.map((_, i) => step * shape.slice(i + 1).reduce((n, d) => n * d, 1));
    spread.set(name, tensorPiece(of, shape, { strides }));
  }
  expect(message(torchZip(spread, [['0', Buffer.alloc(4 * length)]]))).toMatch(/far more elements/);
});

const SMALL = { ...VARIANTS.s0, depths: [1, 1, 1, 1], widths: [0.125, 0.125, 0.125, 0.125], num_classes: 2 } as const;

test('archives: bombs, ways out, overlaps, other kinds', () => {
  const dict = pickle(new Map());
  const files = [['archive/data.pkl', dict]] as const;
  expect(message(zip(files))).toMatch(/packed anew with compression/);
  expect(message(zip(files, { claim: 2 ** 31 }))).toMatch(/packed anew with compression/);
  expect(message(zip([...files, ['../../etc/cron.d/x', dict]], { stored: true }))).toMatch(/leads out of it/);
  expect(message(zip([...files, ['/etc/passwd', dict]], { stored: true }))).toMatch(/leads out of it/);
  expect(message(zip([...files, ['archive/data/0', dict]], { stored: true, overlap: true }))).toMatch(/overlap/);
  expect(message(zip([...files, ...files], { stored: true }))).toMatch(/twice/);
  expect(message(zip(files, { stored: true, flags: 1 }))).toMatch(/encrypted/);
  expect(message(zip(files, { stored: true, claim: 9 }))).toMatch(/damaged/);
  expect(message(zip([['a/weights.npy', dict]], { stored: true }))).toMatch(/NumPy arrays/);
  expect(message(zip([['a/photo.jpg', dict]], { stored: true }))).toMatch(/none that PyTorch wrote/);
  expect(message(inZip(Buffer.alloc(2 ** 26 + 1)))).toMatch(/description has 67108865 bytes/);
});

test('legacy files whose parts do not fit', () => {
  const dict = new Map<Piece, Piece>([['w', tensorPiece(storage('0', 4), [4])]]);
  const whole = torchLegacy(dict, [['0', four]]);
  expect(message(whole)).toMatch(/does not hold a MobileOne/);
  for (const length of [3, 20, 60, 200, whole.length - 20, whole.length - 1])
    expect(message(whole.subarray(0, length))).toMatch(/ends in the middle|cut off|damaged/);
  expect(message(torchLegacy(dict, [['0', Buffer.alloc(20)]]))).toMatch(/should have 4 elements, and has 5/);
  expect(message(torchLegacy(dict, []))).toMatch(/fewer storages/);
  expect(
    message(
      torchLegacy(dict, [
        ['0', four],
        ['1', four],
      ]),
    ),
  ).toMatch(/does not describe/);
  expect(
    message(
      torchLegacy(dict, [
        ['0', four],
        ['0', four],
      ]),
    ),
  ).toMatch(/does not describe/);
  const huge = new Map<Piece, Piece>([['w', tensorPiece(storage('0', 2 ** 40), [4])]]);
  expect(message(torchLegacy(huge, [['0', four]]))).toMatch(/should have 4398046511104 bytes/);
  const twice = new Map<Piece, Piece>([
    ['a', tensorPiece(storage('0', 4), [4])],
    ['b', tensorPiece(storage('0', 8, 'F16'), [8])],
  ]);
  expect(message(torchLegacy(twice, [['0', four]]))).toMatch(/in two ways/);
  expect(message(pickle(new Map([['w', 1]])))).toMatch(/a Python pickle, but none that PyTorch wrote/);
  const old = persistent(tuple('storage', global('torch', 'FloatStorage'), '0', 'cpu', 4, tuple('1', 0, 4)));
  expect(message(torchLegacy(new Map([['w', tensorPiece(old, [4])]]), [['0', four]]))).toMatch(/before 0\.4/);
});

test.each([
  ['version https://git-lfs.github.com/spec/v1\noid sha256:…', /Git LFS pointer/],
  ['<!DOCTYPE html><html>', /a web page/],
  ['\x1f\x8b\x08\x00', /packed by gzip/],
  ['\x89HDF\r\n', /HDF5/],
  ['GGUF\x03', /GGUF/],
  [`${'a.txt'.padEnd(257, '\0')}ustar\0`, /a tar archive/],
  ['hello world, this is text', /neither a PyTorch nor a safetensors file/],
  ['', /it has only 0 bytes/],
])('other files are told by their beginning: %j', (begins, said) => {
  expect(
    message(Buffer.concat([Buffer.from(begins, 'latin1'), Buffer.alloc(600)].slice(0, begins === '' ? 1 : 2))),
  ).toMatch(said);
});

test('safetensors in the disguise of a model keep to their own rules', () => {
  const weight = { shape: [3], data: Float32Array.of(1, 2, 3) };
  expect(message(encodeSafetensors(new Map([['constructor', weight]])))).toMatch(/does not hold a MobileOne/);
  expect(message(encodeSafetensors(new Map([[`stem.${'conv_kxk.'.repeat(5000)}weight`, weight]])))).toMatch(
    /does not hold a MobileOne/,
  );
});

test.skipIf(!existsSync('test/golden/checkpoints'))('a real file cut off anywhere is refused', () => {
  for (const name of ['apple-fused-big-endian.pth', 'timm-checkpoint-legacy.pth.tar', 'smp-views-bfloat16.pth']) {
    const whole = readFileSync(`test/golden/checkpoints/${name}`);
    for (let i = 0; i < 40; i++) message(whole.subarray(0, Math.floor((whole.length * i) / 40)));
    message(whole.subarray(0, whole.length - 1));
  }
});
