/** Tensors in a file, before their numbers are read: safetensors and PyTorch files look the same from here. */
import type { Shape, StateDict, Tensor } from '../core/tensor.ts';
import type { Element } from './elements.ts';

export interface StoredTensor {
  readonly shape: Shape;
  /** The type of the numbers as they are stored. */
  readonly element: Element;
  /** Reads the numbers; throws a UserError where that can't be done within bounds. */
  read(): Tensor;
}

export type StoredTensors = ReadonlyMap<string, StoredTensor>;

/** Reads the numbers of all tensors. */
export function readAll(tensors: StoredTensors): StateDict {
  return new Map([...tensors].map(([name, stored]) => [name, stored.read()]));
}
