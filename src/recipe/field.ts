/** What the table of recipe fields says of each. */
import type { FourNumbers } from './recipe.ts';

export type FieldGroup =
  | 'model'
  | 'optimization'
  | 'fine-tuning'
  | 'distillation'
  | 'augmentation'
  | 'evaluation'
  | 'run';

interface FieldBase<T> {
  readonly group: FieldGroup;
  readonly default: T;
  /** One sentence: meaning, unit, what switches it off. */
  readonly text: string;
  /** What `auto` means; only for fields that may be null. */
  readonly auto?: string;
  /** Another flag for the field. */
  readonly alias?: string;
}

export interface NumberField<T> extends FieldBase<T> {
  readonly type: 'integer' | 'number';
  readonly min: number;
  readonly max?: number;
  /** `min` itself is not allowed. */
  readonly above?: boolean;
  /** `max` itself is not allowed. */
  readonly below?: boolean;
}

export interface FourField<T> extends FieldBase<T> {
  readonly type: 'four-integers' | 'four-numbers';
  readonly min: number;
  readonly above?: boolean;
}

/** A list of any length; an empty one is written `none`. */
export interface ListField<T> extends FieldBase<T> {
  readonly type: 'integers' | 'numbers';
  readonly min: number;
  readonly max?: number;
  readonly above?: boolean;
  readonly below?: boolean;
  /** Whether the list may be empty. */
  readonly none?: boolean;
}

export interface BooleanField<T> extends FieldBase<T> {
  readonly type: 'boolean';
}

export interface TextField<T> extends FieldBase<T> {
  readonly type: 'text';
  readonly choices?: readonly string[];
}

/** The kinds of field that may hold a `T`. */
export type FieldOf<T> = [NonNullable<T>] extends [number]
  ? NumberField<T>
  : [NonNullable<T>] extends [boolean]
    ? BooleanField<T>
    : [NonNullable<T>] extends [FourNumbers]
      ? FourField<T>
      : [NonNullable<T>] extends [readonly number[]]
        ? ListField<T>
        : TextField<T>;

/** A field for each property of `T`. */
export type FieldTable<T> = { readonly [K in keyof T]: FieldOf<T[K]> };
