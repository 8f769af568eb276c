/** Turns what a user wrote for a field, in a flag or a file, into its value. */
import { closestMatch, UserError } from '../core/errors.ts';
import { FIELD_NAMES, FIELDS, type Field } from './fields.ts';
import type { FieldName, Recipe } from './recipe.ts';

/** The flag of a field: `batch_size` → `--batch-size`. */
export function flagOf(name: FieldName): string {
  return `--${name.replaceAll('_', '-')}`;
}

/** Checks that a name is a field; an unknown one gets a close-match hint. */
export function checkFieldName(name: string, origin: string): FieldName {
  if (Object.hasOwn(FIELDS, name)) return name as FieldName;
  const near = closestMatch(name.replaceAll('-', '_'), FIELD_NAMES);
  throw new UserError(
    `${origin} has a field "${name}" that no recipe has.`,
    near ? `Did you mean ${near}?` : 'docs/recipe.md lists every field; so does mobileone train --help.',
  );
}

/**
 * Parses one value: text from a flag, or a number, boolean, list or null from a file. `auto` and null stand for auto.
 * Throws a UserError that names the field, its range and where the value came from.
 */
export function parseField<K extends FieldName>(name: K, raw: unknown, origin: string): Recipe[K] {
  const field: Field = FIELDS[name as FieldName];
  const fail = (wanted: string): never => {
    const auto = field.auto ? ', or auto' : '';
    throw new UserError(`${name} must be ${wanted}${auto}, got ${JSON.stringify(raw)} (from ${origin}).`, field.text);
  };
  if (field.auto !== undefined && (raw === null || raw === 'auto')) return null as Recipe[K];
  return parseValue(field, raw, fail) as Recipe[K];
}

function parseValue(field: Field, raw: unknown, fail: (wanted: string) => never): unknown {
  switch (field.type) {
    case 'boolean': {
      if (raw === true || raw === 'true') return true;
      if (raw === false || raw === 'false') return false;
      return fail('true or false');
    }
    case 'text': {
      if (typeof raw !== 'string' || raw === '') return fail('a name');
      if (field.choices && !field.choices.includes(raw)) return fail(`one of ${field.choices.join(', ')}`);
      return raw;
    }
    case 'integers':
    case 'numbers': {
      if (field.none && raw === 'none') return Object.freeze([]);
      const numbers = toNumbers(raw);
      const whole = field.type === 'integers';
      const good = numbers.every((n) => inRange(n, field) && (!whole || Number.isInteger(n)));
      const enough = numbers.length > 0 || (field.none && Array.isArray(raw));
      if (!enough || !good)
        return fail(`${whole ? 'whole ' : ''}numbers ${rangeText(field)}${field.none ? ', or none' : ''}`);
      return Object.freeze(numbers);
    }
    case 'four-integers':
    case 'four-numbers': {
      const numbers = toNumbers(raw);
      const whole = field.type === 'four-integers';
      const good = numbers.every((n) => inRange(n, field) && (!whole || Number.isInteger(n)));
      if (numbers.length !== 4 || !good) return fail(`four ${whole ? 'whole ' : ''}numbers ${rangeText(field)}`);
      return Object.freeze(numbers);
    }
    default: {
      const value = toNumber(raw);
      const whole = field.type === 'integer';
      if (!inRange(value, field) || (whole && !Number.isInteger(value)))
        return fail(`a ${whole ? 'whole ' : ''}number ${rangeText(field)}`);
      return value;
    }
  }
}

function toNumber(raw: unknown): number {
  if (typeof raw === 'number') return raw;
  return typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : Number.NaN;
}

/** Numbers with commas between them, a list of numbers, or one number. */
function toNumbers(raw: unknown): number[] {
  const parts = typeof raw === 'string' ? raw.split(',') : Array.isArray(raw) ? raw : [raw];
  return parts.map(toNumber);
}

interface Range {
  readonly min: number;
  readonly max?: number;
  readonly above?: boolean;
  readonly below?: boolean;
}

function inRange(value: number, { min, max = Number.POSITIVE_INFINITY, above, below }: Range): boolean {
  return Number.isFinite(value) && (above ? value > min : value >= min) && (below ? value < max : value <= max);
}

/** The range of a numeric field in words: `of at least 1`, `above 0 and at most 1`. */
export function rangeText({ min, max, above, below }: Range): string {
  const low = above ? `above ${min}` : `of at least ${min}`;
  return max === undefined ? low : `${low} and ${below ? 'below' : 'at most'} ${max}`;
}
