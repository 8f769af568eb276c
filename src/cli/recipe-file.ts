/** Recipe files: YAML or JSON in, commented YAML out. */
import { readFile } from 'node:fs/promises';
import { UserError } from '../core/errors.ts';
import { FIELD_NAMES } from '../recipe/fields.ts';
import type { ResolvedRecipe } from '../recipe/resolve.ts';

/** Reads and parses a recipe file (JSON is YAML too); throws a UserError that says where it is wrong. */
export async function readRecipeFile(path: string): Promise<{ name: string; values: unknown }> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UserError(`The recipe ${path} can't be read: ${(error as Error).message}.`, 'Check the path.');
  }
  const { parse, YAMLParseError } = await import('yaml');
  try {
    return { name: path, values: parse(text) };
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw new UserError(`${path} is not valid YAML or JSON: ${error.message.split('\n')[0]}`, 'Correct that line.');
  }
}

/** A recipe as YAML: every field, those that are not defaults with their origin, the command line in a comment. */
export function recipeYaml({ recipe, origins }: ResolvedRecipe, commandLine: string): string {
  const lines = [`# ${commandLine.replaceAll('\n', ' ')}`];
  for (const name of FIELD_NAMES) {
    const value = recipe[name];
    const origin = origins[name] === 'default' ? '' : `  # ${origins[name]}`;
    lines.push(`${name}: ${value === null ? 'auto' : JSON.stringify(value)}${origin}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Origins of the fields that are not defaults, out of a recipe.yaml that `recipeYaml` wrote. */
export function originsIn(yaml: string): Record<string, string> {
  const lines = yaml.split('\n').map((line) => /^(\w+): .*? {2}# (.*)$/.exec(line));
  return Object.fromEntries(lines.flatMap((match) => (match ? [[match[1]!, match[2]!]] : [])));
}
