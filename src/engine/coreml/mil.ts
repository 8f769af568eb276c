/** Types and values of MIL, the language of ML Programs, as messages. */
import type { Shape } from '../../core/tensor.ts';
import type { Message } from './schema.ts';
import { type FloatType, floatBytes } from './weights.ts';

export type MilType = FloatType | 'fp64' | 'int32' | 'bool' | 'string';

/** MILSpec.DataType. */
export const DATA_TYPES: Readonly<Record<MilType, number>> = {
  bool: 1,
  string: 2,
  fp16: 10,
  fp32: 11,
  fp64: 12,
  int32: 23,
};

export type Value = Message<'MILSpec.Value'>;
export type ValueType = Message<'MILSpec.ValueType'>;

/** Type of a tensor; of no dimensions, it is a single value. */
export function tensorType(type: MilType, shape: Shape = []): ValueType {
  const dimensions = shape.map((size) => ({ constant: { size } }));
  return { tensorType: { dataType: DATA_TYPES[type], rank: shape.length, dimensions } };
}

const immediate = (type: ValueType, tensor: Message<'MILSpec.TensorValue'>): Value => ({
  type,
  immediateValue: { tensor },
});

/** One text. */
export function textValue(text: string): Value {
  return immediate(tensorType('string'), { strings: { values: [text] } });
}

/** One truth value. */
export function boolValue(value: boolean): Value {
  return immediate(tensorType('bool'), { bools: { values: [value] } });
}

/** One whole number, or a vector of them. */
export function intValue(value: number | readonly number[]): Value {
  const values = typeof value === 'number' ? [value] : value;
  return immediate(tensorType('int32', typeof value === 'number' ? [] : [values.length]), { ints: { values } });
}

/** Few numbers, inside the program. */
export function floatValue(values: ArrayLike<number>, type: FloatType, shape: Shape): Value {
  const tensor =
    type === 'fp16' ? { bytes: { values: floatBytes(values, type) } } : { floats: { values: Array.from(values) } };
  return immediate(tensorType(type, shape), tensor);
}

/** A list of texts. */
export function textListValue(texts: readonly string[]): Value {
  const listType = { type: tensorType('string'), length: { constant: { size: texts.length } } };
  return { type: { listType }, immediateValue: { list: { values: texts.map(textValue) } } };
}

/** Type of the dictionary from labels to probabilities, which is float64 whatever the probabilities are. */
export const PROBABILITIES_TYPE: ValueType = {
  dictionaryType: { keyType: tensorType('string'), valueType: tensorType('fp64') },
};

export type Operation = Message<'MILSpec.Operation'>;
export type Named = Message<'MILSpec.NamedValueType'>;
