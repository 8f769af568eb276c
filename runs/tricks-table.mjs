/** The rows of tricks.csv as a Markdown table: mean ± deviation over seeds, and the difference to the baseline, seed by seed. */
import { readFileSync } from 'node:fs';

const rows = readFileSync(process.argv[2], 'utf8')
  .trim()
  .split('\n')
  .slice(1)
  .map((line) => {
    const [, trick, seed, val, test, seconds] = /^"(.*)",(\d+),([\d.]+),([\d.]+),(\d+)$/.exec(line);
    return { trick, seed, val: Number(val), test: Number(test), seconds: Number(seconds) };
  });

const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
const deviation = (values) =>
  Math.sqrt(values.reduce((sum, value) => sum + (value - mean(values)) ** 2, 0) / Math.max(1, values.length - 1));
const spread = (values, sign = '') =>
  `${sign && mean(values) > 0 ? sign : ''}${mean(values).toFixed(1)} ± ${deviation(values).toFixed(1)}`;

const baseline = new Map(rows.filter(({ trick }) => trick === 'baseline').map((row) => [row.seed, row]));
console.log('| trick | val top-1, % | test top-1, % | test against baseline | seconds a run |');
console.log('| --- | --- | --- | --- | --- |');
for (const trick of new Set(rows.map((row) => row.trick))) {
  const own = rows.filter((row) => row.trick === trick);
  const differences = own.flatMap(({ seed, test }) => (baseline.has(seed) ? [test - baseline.get(seed).test] : []));
  const difference = trick === 'baseline' || differences.length === 0 ? '' : spread(differences, '+');
  const cells = [trick, spread(own.map(({ val }) => val)), spread(own.map(({ test }) => test)), difference];
  console.log(`| ${[...cells, mean(own.map(({ seconds }) => seconds)).toFixed(0)].join(' | ')} |`);
}
