/** `npm run golden -- DIR…`: checks golden case folders on every engine; exits with 1 beyond tolerance. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import { UserError } from '../../src/core/errors.ts';
import { readCase } from './case.ts';
import { type Check, checkCase, float32Movement, isUndecidable, passes } from './check.ts';
import { GOLDEN_ENGINES } from './engines.ts';

const folders = process.argv.slice(2);
if (folders.length === 0 || folders.some((folder) => folder.startsWith('-'))) {
  console.error('Usage: npm run golden -- DIR…   (each DIR holds case.json, train, fused and io.safetensors)');
  process.exit(2);
}
const missing = folders.filter((folder) => !existsSync(join(folder, 'case.json')));
if (missing.length) {
  console.error(`There is no case.json in ${missing.join(', ')}.`);
  process.exit(1);
}

let failures = 0;
let undecidable = 0;
for (const folder of folders) {
  try {
    await checkFolder(folder);
  } catch (error) {
    if (!(error instanceof UserError) && !(error instanceof Error && 'code' in error)) throw error;
    console.error(`${folder} can't be checked: ${error.message}`);
    failures++;
  }
}
if (undecidable) {
  console.log(
    `${undecidable} undecidable: rounding to float32 alone moves the float64 reference by more than 1 %, so the error says nothing about the engine; see "each step from the exact state"`,
  );
}
console.log(
  failures ? `${failures} failed: beyond tolerance or not to be read` : 'all decidable quantities within tolerance',
);
process.exit(failures ? 1 : 0);

async function checkFolder(folder: string): Promise<void> {
  const one = await readCase(folder);
  const movement = await float32Movement(one);
  const columns: Check[][] = [];
  for (const { open, tolerance, float32 } of GOLDEN_ENGINES) {
    columns.push(await checkCase(one, await open(), tolerance, float32 ? movement : undefined));
  }
  const head = [one.name, ...GOLDEN_ENGINES.map(({ name, tolerance }) => `${name}\n≤ ${tolerance.toExponential(0)}`)];
  const table = new Table({ head, style: { head: [], border: [] }, colAligns: ['left'] });
  columns[0]!.forEach(({ quantity }, row) => {
    table.push([quantity, ...columns.map((checks) => cell(checks[row]!))]);
  });
  console.log(table.toString());
  failures += columns.flat().filter((check) => !passes(check)).length;
  undecidable += columns.flat().filter((check) => passes(check) && isUndecidable(check)).length;
}

/** The worst error; whose it is when it is too large; what was allowed instead where float32 decides. */
function cell(check: Check): string {
  const error = check.worstError.toExponential(1);
  const moved = check.movement === undefined ? '' : `float32 moves ${check.movement.toExponential(1)}`;
  if (!passes(check)) return `${error} TOO LARGE\n${check.tensor}${moved && `\n${moved}`}`;
  if (isUndecidable(check)) return `${error} undecidable\n${moved}`;
  return moved ? `${error} ≤ ${check.tolerance.toExponential(1)}\n${moved}` : error;
}
