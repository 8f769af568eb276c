/** The recipe's fields as flags of `train`, and back. */
import { Option } from 'commander';
import { valueText } from '../recipe/document.ts';
import { FIELD_NAMES, FIELDS, type Field } from '../recipe/fields.ts';
import { flagOf } from '../recipe/parse.ts';
import type { FieldName } from '../recipe/recipe.ts';

/** Flags of `train` that are no recipe fields; the recipe's come beside them, under commander's names. */
export interface TrainFlags extends Readonly<Record<string, unknown>> {
  readonly out?: string;
  /** A run folder, or true for the latest. */
  readonly resume?: string | true;
  readonly pretrained?: string;
  /** Validation images that are named apart: a list, a folder or an archive. */
  readonly val?: string;
  readonly preset?: string;
  readonly recipe?: string;
  /** A list of images to leave out. */
  readonly exclude?: string;
  /** Print the recipe and where each value is from, and train nothing. */
  readonly explain?: boolean;
  readonly strict?: boolean;
  /** Write event files for TensorBoard. */
  readonly tensorboard?: boolean;
  readonly wide?: string;
  readonly json?: boolean;
}

/** Makes the options of a field; a boolean gets a `--no-` twin. */
function fieldOptions(name: FieldName): Option[] {
  const field: Field = FIELDS[name];
  const text = `${field.text} Default: ${valueText(field.default)}${field.auto ? `, ${field.auto}` : ''}.`;
  const group = `Recipe, ${field.group}:`;
  if (field.type === 'boolean') {
    const off = new Option(`--no-${flagOf(name).slice(2)}`, 'Switch it off.').helpGroup(group);
    return [new Option(flagOf(name), text).helpGroup(group), off];
  }
  const short = field.alias ? `-${field.alias}, ` : '';
  const list = field.type === 'integers' || field.type === 'numbers';
  const kind = field.type === 'text' ? 'name' : list ? 'a,b,…' : field.type.startsWith('four') ? 'a,b,c,d' : 'n';
  const option = new Option(`${short}${flagOf(name)} <${kind}>`, text);
  return [option.helpGroup(group)];
}

/** All recipe options, in the table's order. */
export function recipeOptions(): Option[] {
  return FIELD_NAMES.flatMap(fieldOptions);
}

/** Picks the recipe fields that were given out of commander's options (`batchSize` → `batch_size`). */
export function recipeFlags(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const camelCase = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  const given = FIELD_NAMES.map((name) => [name, options[camelCase(name)]] as const);
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}
