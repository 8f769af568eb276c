/** `npm run golden -- DIR…`: checks golden case folders on every engine; exits with 1 beyond tolerance. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import { UserError } from '../../src/core/errors.ts';
import { type GoldenCase, readCase } from './case.ts';
import { type Check, checkCase, passes, roundingErrors } from './check.ts';
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
for (const folder of folders) {
  try {
    await checkFolder(folder);
  } catch (error) {
    if (!(error instanceof UserError) && !(error instanceof Error && 'code' in error)) throw error;
    console.error(`${folder} can't be checked: ${error.message}`);
    failures++;
  }
}
console.log(failures ? `${failures} failed: beyond tolerance or not to be read` : 'all quantities within tolerance');
process.exit(failures ? 1 : 0);

async function checkFolder(folder: string): Promise<void> {
  const one = await readCase(folder);
  const columns: Check[][] = [];
  for (const { open, tolerance } of GOLDEN_ENGINES) columns.push(await checkCase(one, await open(), tolerance));
  const head = [one.name, ...GOLDEN_ENGINES.map(({ name, tolerance }) => `${name}\n≤ ${tolerance.toExponential(0)}`)];
  const table = new Table({ head, style: { head: [], border: [] }, colAligns: ['left'] });
  columns[0]!.forEach(({ quantity }, row) => {
    table.push([quantity, ...columns.map((checks) => cell(checks[row]!))]);
  });
  console.log(table.toString());
  const failed = columns.flat().filter((check) => !passes(check));
  failures += failed.length;
  if (failed.length) await explain(one, new Set(failed.map(({ quantity }) => quantity)));
}

/** The worst error, and whose it is when it is too large. */
function cell(check: Check): string {
  return `${check.worstError.toExponential(1)}${passes(check) ? '' : ` TOO LARGE\n${check.tensor}`}`;
}

/** Says how well-conditioned the quantities are that failed. */
async function explain(one: GoldenCase, quantities: ReadonlySet<string>): Promise<void> {
  console.log('For comparison, rounding every result to float32 moves the float64 reference by');
  for (const [quantity, error] of await roundingErrors(one)) {
    if (quantities.has(quantity)) console.log(`  ${quantity}: ${error.toExponential(1)}`);
  }
}
