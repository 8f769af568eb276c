/** Types and constants of MIL programs as they are read. Throws a UserError for what a program of ours never holds. */
import { UserError } from '../../core/errors.ts';
import { type Shape, sizeOf } from '../../core/tensor.ts';
import { DATA_TYPES, type MilType, type Value, type ValueType } from './mil.ts';
import { WEIGHTS_NAME } from './package.ts';
import type { Message } from './schema.ts';
import { bytesToFloats, type FloatType, readWeight } from './weights.ts';

/** The error of a program that is not one of ours, or is damaged. */
export function badProgram(why: string): UserError {
  return new UserError(
    `The program inside the Core ML package can't be read: ${why}.`,
    'Only packages that mobileone wrote are read back; if this is one, it is damaged: export it again.',
  );
}

export interface TensorType {
  readonly type: MilType;
  readonly shape: Shape;
}

/** Type and shape of a tensor. `what` names the value in errors. */
export function readType(value: ValueType | undefined, what: string): TensorType {
  const { dataType, rank = 0, dimensions = [] } = value?.tensorType ?? {};
  const type = (Object.keys(DATA_TYPES) as MilType[]).find((name) => DATA_TYPES[name] === dataType);
  if (!type) throw badProgram(`${what} has no type that is known`);
  if (dimensions.length !== rank || rank > 4) throw badProgram(`${what} has ${rank} dimensions`);
  const shape = dimensions.map(({ constant }) => {
    const size = constant?.size ?? 0;
    if (!Number.isSafeInteger(size) || size < 1) throw badProgram(`${what} has a dimension of ${size}`);
    return size;
  });
  if (!(sizeOf(shape) < 2 ** 31)) throw badProgram(`${what} is too large`);
  return { type, shape };
}

export type Constant =
  | { readonly kind: 'floats'; readonly type: FloatType; readonly shape: Shape; readonly data: Float32Array }
  | { readonly kind: 'ints'; readonly values: readonly number[] }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'texts'; readonly texts: readonly string[] };

/** A constant's value, from the program or from the file of weights. */
export function readConstant(value: Value | undefined, weights: Uint8Array, what: string): Constant {
  if (value?.type?.listType) return { kind: 'texts', texts: readTexts(value, what) };
  const { type, shape } = readType(value?.type, what);
  const count = sizeOf(shape);
  const tensor = value?.immediateValue?.tensor ?? {};
  const counted = <T>(list: readonly T[] | undefined): readonly T[] => {
    if (list?.length !== count) throw badProgram(`${what} has ${list?.length ?? 0} values instead of ${count}`);
    return list;
  };
  switch (type) {
    case 'fp16':
    case 'fp32':
      return { kind: 'floats', type, shape, data: readFloats(value!, type, count, weights, what) };
    case 'fp64':
      throw badProgram(`${what} is ${type}`);
    case 'int32':
      return { kind: 'ints', values: counted(tensor.ints?.values) };
    case 'bool':
      return { kind: 'bool', value: counted(tensor.bools?.values)[0]! };
    case 'string':
      return { kind: 'text', text: counted(tensor.strings?.values)[0]! };
  }
}

function readFloats(
  { blobFileValue, immediateValue }: Value,
  type: FloatType,
  count: number,
  weights: Uint8Array,
  what: string,
): Float32Array {
  if (blobFileValue) {
    const { fileName, offset = 0 } = blobFileValue;
    if (fileName !== WEIGHTS_NAME) throw badProgram(`${what} lies in another file than ${WEIGHTS_NAME}`);
    return readWeight(weights, offset, type, count);
  }
  const tensor: Message<'MILSpec.TensorValue'> = immediateValue?.tensor ?? {};
  const bytes = tensor.bytes?.values ?? new Uint8Array();
  const inside =
    type === 'fp32' ? (tensor.floats?.values ?? []) : bytes.length % 2 === 0 ? bytesToFloats(bytes, type) : [];
  if (inside.length !== count) throw badProgram(`${what} has ${inside.length} values instead of ${count}`);
  return Float32Array.from(inside);
}

function readTexts({ immediateValue }: Value, what: string): string[] {
  return (immediateValue?.list?.values ?? []).map((one) => {
    const text = one.immediateValue?.tensor?.strings?.values?.[0];
    if (text === undefined) throw badProgram(`${what} holds something else than texts`);
    return text;
  });
}
