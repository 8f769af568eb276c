/** The classes and functions that a PyTorch file may name: one table. Everything else is refused. */
import { UserError } from '../../core/errors.ts';
import type { Element } from '../elements.ts';
import { type Global, isGlobal } from './pickle.ts';
import { rebuildTensor } from './storage.ts';

/** The types of storages: `torch.FloatStorage` and the like, also of the devices they were on. */
const STORAGES: Readonly<Record<string, Element | 'other'>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
  UntypedStorage: 'U8',
  ComplexFloatStorage: 'other',
  ComplexDoubleStorage: 'other',
};
const STORAGE_NAME = /^torch\.(?:cuda\.|storage\.)?(\w+Storage)$/;

/** The element type of a storage class, `other` for one that weights don't have, undefined for what is no storage. */
export function storageElement(name: string): Element | 'other' | undefined {
  const type = STORAGE_NAME.exec(name)?.[1];
  return type !== undefined && Object.hasOwn(STORAGES, type) ? STORAGES[type] : undefined;
}

type Call = NonNullable<Global['call']>;

const first: Call = ([value]) => value;

/** Dictionaries; what they are made from is copied: pairs (as Python 2 wrote them), or nothing. */
const orderedDict: Call = ([pairs = []], charge) => {
  const made = new Map<unknown, unknown>();
  if (!Array.isArray(pairs)) return made;
  charge(pairs.length);
  for (const pair of pairs) if (Array.isArray(pair)) made.set(pair[0], pair[1]);
  return made;
};

/** Calls an allowed function with the arguments: how tensors of a subclass are written. */
const fromType: Call = ([rebuild, , args], charge) =>
  isGlobal(rebuild) && rebuild.call && rebuild.call !== fromType && Array.isArray(args)
    ? rebuild.call(args, charge)
    : { opaque: 'torch._tensor._rebuild_from_type_v2' };

const CALLS: Readonly<Record<string, Call>> = {
  'collections.OrderedDict': orderedDict,
  'collections.defaultdict': () => new Map(),
  'torch.Size': ([size = []]) => size,
  'torch._utils._rebuild_tensor': rebuildTensor,
  'torch._utils._rebuild_tensor_v2': rebuildTensor,
  'torch._utils._rebuild_parameter': first,
  'torch._utils._rebuild_parameter_with_state': first,
  'torch._tensor._rebuild_from_type_v2': fromType,
};

/** Harmless kinds that checkpoints hold beside weights; calling them gives an object that says only what it is. */
const kinds = (): string[] => [
  ...['Tensor', 'device', 'dtype', 'layout', 'strided', 'memory_format', 'nn.parameter.Parameter'].map(
    (name) => `torch.${name}`,
  ),
  ...['float16', 'float32', 'float64', 'bfloat16', 'half', 'float', 'double', 'bool', 'complex64', 'complex128'].map(
    (name) => `torch.${name}`,
  ),
  ...['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64', 'long', 'int'].map(
    (name) => `torch.${name}`,
  ),
  'torch._utils._rebuild_device_tensor_from_numpy',
  'torch._utils._rebuild_tensor_v3',
  'torch.serialization._get_layout',
  ...['core', '_core'].flatMap((core) =>
    ['multiarray.scalar', 'multiarray._reconstruct', 'numeric._frombuffer'].map((name) => `numpy.${core}.${name}`),
  ),
  ...['dtype', 'ndarray', 'bool_', 'int64', 'int32', 'float32', 'float64', 'str_'].map((name) => `numpy.${name}`),
  ...['bool', 'bytearray', 'bytes', 'complex', 'dict', 'float', 'frozenset', 'int', 'list', 'object', 'range'].flatMap(
    builtin,
  ),
  ...['set', 'slice', 'str', 'tuple', 'unicode', 'long'].flatMap(builtin),
  '_codecs.encode',
  'argparse.Namespace',
  ...['Counter', 'deque'].map((name) => `collections.${name}`),
  ...['date', 'datetime', 'time', 'timedelta', 'timezone'].map((name) => `datetime.${name}`),
  ...['Path', 'PosixPath', 'PurePath', 'PurePosixPath', 'PureWindowsPath', 'WindowsPath'].flatMap((name) => [
    `pathlib.${name}`,
    `pathlib._local.${name}`,
  ]),
  ...[
    'mmengine.config.config.ConfigDict',
    'mmcv.utils.config.ConfigDict',
    'mmengine.logging.history_buffer.HistoryBuffer',
  ],
  ...['yacs.config.CfgNode', 'easydict.EasyDict', 'addict.addict.Dict'],
];

function builtin(name: string): string[] {
  return [`builtins.${name}`, `__builtin__.${name}`];
}

const opaque =
  (name: string): Call =>
  () => ({ opaque: name });

/** Made when first asked for, so that pages, which read no such files, are spared it. */
let allowed: ReadonlyMap<string, Global> | undefined;

function makeAllowed(): ReadonlyMap<string, Global> {
  const calls = [...kinds().map((name): [string, Call] => [name, opaque(name)]), ...Object.entries(CALLS)];
  return new Map(calls.map(([name, call]) => [name, { global: name, call }]));
}

/** The global of a name. Throws a UserError that names one that is not allowed. */
export function findGlobal(name: string): Global {
  allowed ??= makeAllowed();
  const known = allowed.get(name);
  if (known) return known;
  if (storageElement(name)) return { global: name, call: undefined };
  const shown = JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
  throw new UserError(
    `The file asks Python for ${shown}, which is nothing that weights need. None of it was run.`,
    'If you trust who made it, write only the weights in Python, torch.save(model.state_dict(), "weights.pth"), and name that file. If not, delete it.',
  );
}
