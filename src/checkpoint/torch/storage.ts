/** Storages of a PyTorch file, and tensors as views of them: shape, strides and an offset, read only when asked for. */
import type { ByteSource } from '../../core/byte-source.ts';
import { UserError } from '../../core/errors.ts';
import { type Shape, sizeOf, type TensorData } from '../../core/tensor.ts';
import { bytesPer, type Element, readElements } from '../elements.ts';
import type { StoredTensor } from '../stored.ts';
import { brokenPickle } from './broken.ts';

export interface Storage {
  /** Its key in the file. */
  readonly storage: string;
  readonly element: Element | 'other';
  /** Elements it has. */
  readonly length: number;
  readonly bigEndian: boolean;
  readonly file: ByteSource;
  /** Where its bytes lie in the file; of a legacy file known only at its end. */
  start(): number;
  readonly budget: Budget;
}

/** Bounds what the tensors of a file may take together, whatever their views of its storages are. */
export interface Budget {
  /** Bytes to read again: a view may span much more than it shows. */
  read(bytes: number): void;
  /** Elements to make: a view of stride 0 may show one number any number of times. */
  make(elements: number): void;
}

const SLACK = 1 << 20;

/** The budget of a file of so many bytes: four times its bytes to read, and no more elements than it has bytes. */
export function fileBudget(size: number): Budget {
  let bytes = 0;
  let elements = 0;
  const refuse = (): never => {
    throw new UserError(
      "This PyTorch file can't be read: its tensors have far more elements than it has bytes.",
      'It may be made to do harm; do not use it.',
    );
  };
  return {
    read(more) {
      bytes += more;
      if (!(bytes <= 4 * size + SLACK)) refuse();
    },
    make(more) {
      elements += more;
      if (!(elements <= size + SLACK)) refuse();
    },
  };
}

const MOST_DIMENSIONS = 16;

const isStorage = (value: unknown): value is Storage =>
  typeof value === 'object' && value !== null && 'storage' in value;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCounts = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= MOST_DIMENSIONS && value.every(isCount);

/**
 * A tensor as `torch._utils._rebuild_tensor_v2` makes it: (storage, offset, shape, strides, …). It must lie inside its
 * storage. Throws a UserError otherwise.
 */
export function rebuildTensor([storage, offset, shape, strides]: readonly unknown[]):
  | StoredTensor
  | { opaque: string } {
  if (!isStorage(storage)) throw brokenPickle('a tensor in it has no storage');
  if (!isCount(offset) || !isCounts(shape) || !isCounts(strides) || shape.length !== strides.length)
    throw brokenPickle('a tensor in it has no valid shape');
  const { element, budget, file, bigEndian } = storage;
  if (element === 'other') return { opaque: 'a tensor of complex numbers' };
  const size = sizeOf(shape);
  const last = shape.reduce((sum, dim, i) => sum + (dim - 1) * strides[i]!, 0);
  if (size > 0 && !(offset + last < storage.length))
    throw brokenPickle(`a tensor of shape [${shape.join(', ')}] in it lies outside its storage`);
  const own = [...shape];
  const steps = [...strides];
  return {
    shape: own,
    element,
    read() {
      budget.make(size);
      const span = size === 0 ? 0 : (last + 1) * bytesPer(element);
      budget.read(span);
      const bytes = file.read(size === 0 ? 0 : storage.start() + offset * bytesPer(element), span);
      const data = readElements(bytes, element, bigEndian);
      if (!data) throw brokenPickle('a tensor in it holds integers beyond 32 bits');
      return { shape: own, data: isDense(own, steps) ? data : gather(data, own, steps) };
    },
  };
}

/** Whether a view is the plain order of its elements; strides of dimensions of one don't matter. */
function isDense(shape: Shape, strides: readonly number[]): boolean {
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== step) return false;
    step *= shape[i]!;
  }
  return true;
}

/** The elements of a view in plain order. */
function gather(data: TensorData, shape: Shape, strides: readonly number[]): TensorData {
  const made = new (data.constructor as new (length: number) => TensorData)(sizeOf(shape));
  const at = shape.map(() => 0);
  let from = 0;
  for (let i = 0; i < made.length; i++) {
    made[i] = data[from]!;
    for (let d = shape.length - 1; d >= 0; d--) {
      from += strides[d]!;
      if (++at[d]! < shape[d]!) break;
      from -= strides[d]! * shape[d]!;
      at[d] = 0;
    }
  }
  return made;
}
