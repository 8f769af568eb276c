/** `npm run formats -- [DATA]`: every export format held to the engines, on S0 … S4, the golden nets and Apple's weights. */
import { readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { textTable } from '../../src/cli/text-table.ts';
import { type Engine, FORMATS, nodeWasmEngine, UserError } from '../../src/node.ts';
import { circumstances } from '../run.ts';
import { type AppleRow, appleRows } from './apple.ts';
import { type Images, openImages } from './images.ts';
import { answersOf, type FormatRow, formatRows } from './measure.ts';
import { allMet, appleCells, formatCells, withTable } from './page.ts';
import { appleSubjects, type FormatSubject, goldenSubjects, variantSubjects } from './subjects.ts';

const USAGE = `usage: npm run formats -- [DATA] [options]
  DATA             a folder, list or archive of images (without: generated ones)
  --images N       how many of them (200)
  --models LIST    of s0,s1,s2,s3,s4,golden,apple (all)
  --formats LIST   of ${FORMATS.map(({ name }) => name).join(',')} (all)
  --size N         side of the images for S0 … S4 (224)
  --weights DIR    where Apple's weights are (../shared/weights)
  --out FILE       the page whose table is written (docs/formats.md, of all models and formats)
exit code 1 where a bar is missed: fp32 1e-4 and the same top-1 everywhere, fp16 1e-2`;

const PAGE = 'docs/formats.md';
const GOLDEN = 'test/golden/cases';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    images: { type: 'string', default: '200' },
    models: { type: 'string', default: 's0,s1,s2,s3,s4,golden,apple' },
    formats: { type: 'string' },
    size: { type: 'string', default: '224' },
    weights: { type: 'string', default: '../shared/weights' },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

const models = values.models.split(',');
const wanted = (name: string): boolean => models.includes(name);

async function* subjects(engine: Engine, images: Images): AsyncGenerator<FormatSubject> {
  if (wanted('golden')) yield* goldenSubjects(GOLDEN, images);
  yield* variantSubjects(engine, images, wanted, Number(values.size));
  if (wanted('apple')) yield* appleSubjects(values.weights, engine, images);
}

async function main(): Promise<number> {
  const chosen = values.formats?.split(',');
  const formats = FORMATS.filter(({ name }) => chosen?.includes(name) ?? true);
  const source = await openImages(positionals[0], Number(values.images));
  // Taken now: the commit may have moved on by the end.
  const common = circumstances({ node: process.execPath, python: undefined, rounds: 1 });
  const threads = availableParallelism();
  const engine = await nodeWasmEngine({ threads });
  const [rows, apple]: [FormatRow[], AppleRow[]] = [[], []];
  console.error(`on ${source.description}`);
  for await (const subject of subjects(engine, source.images)) {
    const answers = await answersOf(subject);
    for (const format of formats) {
      for await (const row of formatRows(format, subject, answers, threads)) {
        rows.push(row);
        console.error(`${row.subject}: ${formatCells([row])[1]!.slice(1).join('  ')}`);
      }
    }
    if (subject.name.startsWith('Apple')) {
      for await (const row of appleRows(values.weights, subject, formats)) {
        apple.push(row);
        console.error(`Apple's answers: ${appleCells([row])[1]!.join('  ')}`);
      }
    }
  }
  if (wanted('apple') && apple.length === 0) console.error(`Apple's weights are not in ${values.weights}: left out`);
  const found = {
    rows,
    apple,
    images: source.description,
    ...common,
  };
  for (const line of textTable(formatCells(rows))) console.log(line);
  if (apple.length > 0) for (const line of ['', ...textTable(appleCells(apple))]) console.log(line);
  const all = values.models === 's0,s1,s2,s3,s4,golden,apple' && chosen === undefined;
  const out = values.out ?? (all ? PAGE : undefined);
  if (out) {
    await writeFile(out, withTable(await readFile(out, 'utf8'), found));
    console.log(`\nwrote ${out}`);
  }
  if (allMet(found)) return 0;
  console.log('\nmissed');
  return 1;
}

if (values.help) console.log(USAGE);
else {
  try {
    process.exitCode = await main();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`error: ${error.message}\n${error.hint}`);
    process.exitCode = error.exitCode;
  }
}
