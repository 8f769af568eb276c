/** `npm run golden -- DIR…`: checks golden case folders on every engine; exits with 1 beyond tolerance. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import Table from 'cli-table3';
import { readCase } from './case.ts';
import { type Check, checkCase } from './check.ts';
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
  const one = await readCase(folder);
  const columns: Check[][] = [];
  for (const { open, bound, float32 } of GOLDEN_ENGINES)
    columns.push(await checkCase(one, await open(), bound, float32));
  const head = [one.name, ...GOLDEN_ENGINES.map(({ name, bound }) => `${name}\n≤ ${bound}`)];
  const table = new Table({ head, style: { head: [], border: [] }, colAligns: ['left'] });
  columns[0]!.forEach(({ quantity }, row) => {
    table.push([quantity, ...columns.map((checks) => cell(checks[row]!))]);
  });
  console.log(table.toString());
}
console.log(failures ? `${failures} quantities beyond tolerance` : 'all quantities within tolerance');
process.exit(failures ? 1 : 0);

/** The worst error, what is allowed where conditioning decides it, and where it is when it fails. */
function cell({ error, allowed, conditioning, worst }: Check): string {
  const passed = error <= allowed;
  if (!passed) failures++;
  const limit = conditioning
    ? `\n≤ ${allowed.toExponential(1)}: rounding to\nfloat32 moves ${conditioning.toExponential(1)}`
    : '';
  return `${error.toExponential(1)}${passed ? '' : ` TOO LARGE\n${worst}`}${limit}`;
}
