/** Opens a file of weights of any kind: its tensors under timm's names, their numbers not yet read, and what else it says. */
import type { ByteSource } from '../core/byte-source.ts';
import { UserError } from '../core/errors.ts';
import { isStepCounter, NAMINGS, type Naming, type ParsedName, parseName } from './names.ts';
import { openSafetensors } from './safetensors.ts';
import type { StoredTensor, StoredTensors } from './stored.ts';
import { chooseState } from './torch/choose-state.ts';
import { beginsPickle, readTorchLegacy, readTorchZip } from './torch/torch-file.ts';

export type Container = 'safetensors' | 'PyTorch zip' | 'PyTorch legacy';

export interface WeightsFile {
  readonly container: Container;
  /** Parameters and statistics; names that are none of MobileOne's are as they were, without the prefix. */
  readonly tensors: StoredTensors;
  /** PyTorch's step counters of the BatchNorms. */
  readonly counters: StoredTensors;
  readonly naming: Naming;
  /** What stood before all names, such as `module.`; MMPretrain's `backbone.` is one. */
  readonly prefix: string;
  /** Keys of the wrappers that the weights were in, such as `state_dict`. */
  readonly path: readonly string[];
  /** Tensors of other parts than the network: a decoder, another head. */
  readonly leftOut: readonly string[];
  /** What stood beside the weights, such as `optimizer`. */
  readonly beside: readonly string[];
  readonly classes?: readonly string[];
  /** The texts in a safetensors file. */
  readonly metadata: Readonly<Record<string, string>>;
}

interface Raw extends Pick<WeightsFile, 'container' | 'tensors' | 'path' | 'beside' | 'metadata'> {
  readonly classes?: readonly string[];
}

/** Beginnings of files that people take for weights. */
const OTHERS: readonly [begins: string, is: string, next: string][] = [
  ['version https://git-lfs', 'a Git LFS pointer: the place of a file, not the file itself', 'Fetch it: git lfs pull.'],
  ['<!DOCTYPE', 'a web page', 'The download gave a page instead of the file; download it again.'],
  ['<html', 'a web page', 'The download gave a page instead of the file; download it again.'],
  ['\x1f\x8b', 'packed by gzip', 'Unpack it first: gunzip FILE.'],
  ['\x89HDF', 'an HDF5 file, as Keras writes', 'Name a PyTorch or safetensors file.'],
  ['GGUF', 'a GGUF file', 'Name a PyTorch or safetensors file.'],
  ['\x93NUMPY', 'a NumPy array', 'Name a PyTorch or safetensors file.'],
];

/** The kind of a file, told by its beginning. Throws a UserError for one that is known to be none of weights. */
export function containerOf(source: ByteSource): Container {
  const head = source.read(0, Math.min(source.size, 300));
  const text = String.fromCharCode(...head);
  if (text.startsWith('PK\x03\x04')) return 'PyTorch zip';
  if (beginsPickle(head)) return 'PyTorch legacy';
  const other = OTHERS.find(([begins]) => text.startsWith(begins));
  if (other) throw new UserError(`This file is ${other[1]}.`, other[2]);
  if (text.slice(257, 262) === 'ustar')
    throw new UserError('This file is a tar archive.', 'Unpack it, and name the file of weights in it.');
  // Its length, then a header in JSON.
  if (head.length > 8 && text[8] !== '{')
    throw new UserError(
      'This file is neither a PyTorch nor a safetensors file.',
      'It may be damaged or of another format. Copy or download it again, or name another file.',
    );
  return 'safetensors';
}

function readRaw(source: ByteSource): Raw {
  const container = containerOf(source);
  if (container === 'safetensors') return { container, ...openSafetensors(source), path: [], beside: [] };
  const root = container === 'PyTorch zip' ? readTorchZip(source) : readTorchLegacy(source);
  return { container, ...chooseState(root), metadata: {} };
}

/** Opens a safetensors file of weights; see `openWeights`. */
export function openSafetensorsWeights(source: ByteSource): WeightsFile {
  const { tensors, metadata } = openSafetensors(source);
  return { container: 'safetensors', metadata, path: [], beside: [], ...sortNames(tensors) };
}

/** Opens a file of weights. Throws a UserError for what is damaged, made to do harm, or of another kind. */
export function openWeights(source: ByteSource): WeightsFile {
  const { tensors, ...raw } = readRaw(source);
  return { ...raw, ...sortNames(tensors) };
}

type Sorted = Pick<WeightsFile, 'tensors' | 'counters' | 'naming' | 'prefix' | 'leftOut'>;

/** Translates the names, strips what stands before all of them, and sets aside what is no part of the network. */
function sortNames(tensors: StoredTensors): Sorted {
  const parsed = [...tensors].map(([name, tensor]) => ({ name, tensor, parsed: parseName(name) }));
  const body = parsed.flatMap((entry) => (entry.parsed && !entry.parsed.inHead ? [entry.parsed] : []));
  const prefix = mostFrequent(body);
  // The classifier stands beside the backbone (MMPretrain) or in it.
  const heads = [prefix, prefix.replace(/(backbone|encoder)\.$/, '')];
  const own = new Map<string, StoredTensor>();
  const counters = new Map<string, StoredTensor>();
  const leftOut: string[] = [];
  for (const { name, tensor, parsed: read } of parsed) {
    const mine = read && (read.inHead ? heads.includes(read.prefix) : read.prefix === prefix);
    if (!mine && !name.startsWith(prefix)) {
      leftOut.push(name);
      continue;
    }
    const short = mine ? read.name : name.slice(prefix.length);
    const into = isStepCounter(short) ? counters : own;
    if (into.has(short)) throw new UserError(`The file has the parameter ${short} twice, under two names.`);
    into.set(short, tensor);
  }
  return { tensors: own, counters, naming: namingOf(body), prefix, leftOut };
}

/** The prefix that most names have. Throws a UserError where two have as many: which network is meant is not clear. */
function mostFrequent(body: readonly ParsedName[]): string {
  const counts = new Map<string, number>();
  for (const { prefix } of body) counts.set(prefix, (counts.get(prefix) ?? 0) + 1);
  const [first, second] = [...counts].sort((a, b) => b[1] - a[1]);
  if (second && second[1] === first![1])
    throw new UserError(
      `The file holds several networks, under "${first![0]}" and "${second[0]}".`,
      'Write the one you want to a file by itself.',
    );
  return first?.[0] ?? '';
}

/** The naming that most names may be of. */
function namingOf(body: readonly ParsedName[]): Naming {
  const votes = (naming: Naming): number => body.filter(({ namings }) => namings.includes(naming)).length;
  return NAMINGS.reduce((best, naming) => (votes(naming) > votes(best) ? naming : best), 'timm');
}
