/** The recipe's documentation and JSON schema, made from the field table. */
import type { FieldGroup } from './field.ts';
import { FIELD_NAMES, FIELDS, type Field } from './fields.ts';
import { flagOf, rangeText } from './parse.ts';
import { PRESETS } from './presets.ts';
import type { FieldName, Recipe } from './recipe.ts';

const GROUPS: Readonly<Record<FieldGroup, string>> = {
  model: 'Model',
  optimization: 'Optimization',
  'fine-tuning': 'Fine-tuning',
  distillation: 'Distillation',
  augmentation: 'Augmentation',
  evaluation: 'Evaluation',
  run: 'Run',
};

/** A value as it is written in a recipe file or flag: `auto` for null, commas between numbers, `none` for no numbers. */
export function valueText(value: unknown): string {
  if (value === null) return 'auto';
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(',');
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return String(value);
}

/** What a field accepts, in words. */
export function acceptsText(field: Field): string {
  switch (field.type) {
    case 'boolean':
      return 'true or false';
    case 'text':
      return field.choices ? field.choices.join(' or ') : 'a name';
    case 'integers':
    case 'numbers':
      return `${field.type === 'integers' ? 'whole ' : ''}numbers ${rangeText(field)}${field.none ? ', or none' : ''}`;
    case 'four-integers':
      return `four whole numbers ${rangeText(field)}`;
    case 'four-numbers':
      return `four numbers ${rangeText(field)}`;
    default:
      return `a ${field.type === 'integer' ? 'whole ' : ''}number ${rangeText(field)}`;
  }
}

const changesText = (values: Partial<Recipe>): string =>
  Object.entries(values)
    .map(([field, value]) => `${field} ${valueText(value)}`)
    .join(', ');

/** The text of docs/recipe.md. */
export function recipeMarkdown(): string {
  const lines = [
    '# The recipe',
    '',
    '<!-- Made from src/recipe/fields.ts by recipeMarkdown(); refresh with `npx vitest run test/pure/recipe -u`. -->',
    '',
    'Everything that decides a training run. Each value comes from the defaults, then a preset (`--preset`), then a',
    'recipe file (`--recipe FILE`, YAML or JSON, the names below; it may name its `preset`), then flags; the last one',
    'wins. The run folder keeps the result in `recipe.yaml`, with the origin of each value, and that file is itself a',
    'recipe file. `mobileone train --explain` with the same options prints it all and trains nothing.',
    '`recipe.schema.json` completes and checks recipe files in editors.',
    '',
    '## Presets',
    '',
  ];
  for (const [name, { text, values, variants = {} }] of Object.entries(PRESETS)) {
    lines.push(`- **${name}**: ${text}`);
    if (Object.keys(values).length > 0) lines.push(`  (${changesText(values)})`);
    for (const [variant, own] of Object.entries(variants)) lines.push(`  (${variant}: ${changesText(own)})`);
  }
  for (const [group, title] of Object.entries(GROUPS)) {
    lines.push(
      '',
      `## ${title}`,
      '',
      '| field | flag | default | accepts | meaning |',
      '| --- | --- | --- | --- | --- |',
    );
    for (const name of FIELD_NAMES) {
      const field: Field = FIELDS[name];
      if (field.group === group) lines.push(fieldRow(name, field));
    }
  }
  return `${lines.join('\n')}\n`;
}

function fieldRow(name: FieldName, field: Field): string {
  const flag = field.type === 'boolean' ? `${flagOf(name)} / --no-${flagOf(name).slice(2)}` : flagOf(name);
  const flags = field.alias ? `${flag}, -${field.alias}` : flag;
  const auto = field.auto ? ` auto: ${field.auto}.` : '';
  const accepts = acceptsText(field) + (field.auto ? ', or auto' : '');
  return `| ${name} | \`${flags}\` | ${valueText(field.default)} | ${accepts} | ${field.text}${auto} |`;
}

/** The JSON schema of a recipe file (draft 2020-12). */
export function recipeSchema(): Record<string, unknown> {
  const properties: Record<string, unknown> = {
    preset: { type: 'string', enum: Object.keys(PRESETS), description: 'The preset that the fields below change.' },
  };
  for (const name of FIELD_NAMES) properties[name] = fieldSchema(FIELDS[name]);
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'mobileone recipe',
    type: 'object',
    additionalProperties: false,
    properties,
  };
}

function fieldSchema(field: Field): Record<string, unknown> {
  const described = { description: field.text, default: field.default ?? 'auto' };
  const value = valueSchema(field);
  return field.auto === undefined ? { ...value, ...described } : { anyOf: [value, { const: 'auto' }], ...described };
}

function valueSchema(field: Field): Record<string, unknown> {
  if (field.type === 'boolean') return { type: 'boolean' };
  if (field.type === 'text') return { type: 'string', ...(field.choices ? { enum: field.choices } : {}) };
  const integer = field.type === 'integer' || field.type === 'integers' || field.type === 'four-integers';
  const number: Record<string, unknown> = { type: integer ? 'integer' : 'number' };
  number[field.above ? 'exclusiveMinimum' : 'minimum'] = field.min;
  if ('max' in field && field.max !== undefined) number[field.below ? 'exclusiveMaximum' : 'maximum'] = field.max;
  if (field.type === 'integer' || field.type === 'number') return number;
  if (field.type === 'integers' || field.type === 'numbers') {
    const list = { type: 'array', items: number, ...(field.none ? {} : { minItems: 1 }) };
    return field.none ? { anyOf: [list, { const: 'none' }] } : list;
  }
  return { type: 'array', items: number, minItems: 4, maxItems: 4 };
}
