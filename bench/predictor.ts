/**
 * How well latency is predicted by adding up layers: every network of the zoo, one image, one thread. Each is predicted from its own
 * layers, from those of all other networks alone (what a search over networks has), from those of other families alone, and from those
 * of the variants S0–S4 alone.
 * Usage: node build/bench-predictor.js [--nets s0,resnet18] [--sizes 224] [--rounds 6] [--runs 8] [--clock cpu] [--out docs/results]
 * `--clock cpu` counts the time that the processor worked for this process, for machines that are shared with other work. `--out DIR`
 * writes predictor-nets.csv and predictor-layers.csv; a stopped run goes on from there, on the same machine with the same settings.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeDevice } from '../src/bench/device-node.ts';
import { measure, programSubject } from '../src/bench/measure.ts';
import { type Layer, type LayerTime, layersOf } from '../src/bench/predict/layers.ts';
import { type LatencyPrediction, layerTable, predictLatency } from '../src/bench/predict/predict.ts';
import { timeLayers } from '../src/bench/predict/time-layers.ts';
import { protocolHash, shortProtocol } from '../src/bench/protocol.ts';
import { benchModels } from '../src/bench/subjects-node.ts';
import { untrainedNet } from '../src/cli/named-net.ts';
import { nodeWasmEngine } from '../src/engine/wasm/node.ts';
import { ZOO } from '../src/models/zoo/registry.ts';

const { values } = parseArgs({
  options: {
    nets: { type: 'string', default: Object.keys(ZOO).join(',') },
    sizes: { type: 'string', default: '224' },
    rounds: { type: 'string', default: '6' },
    runs: { type: 'string', default: '8' },
    clock: { type: 'string', default: 'wall' },
    wide: { type: 'string', default: 'auto' },
    out: { type: 'string' },
  },
});

const cpuTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const options = values.clock === 'cpu' ? { clock: cpuTime } : {};
const protocol = shortProtocol(Number(values.rounds), Number(values.runs));
const engine = await nodeWasmEngine({ threads: 1, wide: values.wide === 'off' ? 'off' : 'auto' });
const { machine, cpu, cores, host, mobileone } = describeDevice();
/** Times of different settings don't mix. */
const setting = [machine, host, engine.capabilities().description, values.clock, protocolHash(protocol)].join(' / ');

const LAYER_COLUMNS = ['layer', 'kind', 'macs', 'bytes', 'mean_ms', 'low_ms', 'high_ms', 'measured_on'] as const;
const quoted = (cell: string | number): string =>
  typeof cell === 'number' ? String(cell) : `"${cell.replaceAll('"', '""')}"`;
const csv = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  `${[head, ...rows.map((row) => row.map(quoted))].map((row) => row.join(',')).join('\n')}\n`;
const fixed = (value: number, digits = 4): number => Number(value.toFixed(digits));

/** Layer times that an earlier run with these settings has left. */
function keptTimes(path: string): LayerTime[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(1, -1)
    .map((line) =>
      [...line.matchAll(/"((?:[^"]|"")*)"|[^,]+/g)].map(([cell, text]) => text?.replaceAll('""', '"') ?? cell),
    )
    .filter((cells) => cells.at(-1) === setting)
    .map(([key = '', kind = '', ...numbers]) => {
      const [macs = 0, bytes = 0, mean = 0, low = 0, high = 0] = numbers.map(Number);
      return { layer: { key, kind, macs, bytes }, mean, interval: [low, high] };
    });
}

interface Subject {
  readonly net: string;
  readonly size: number;
  readonly layers: readonly Layer[];
  readonly mean: number;
  readonly interval: readonly [number, number];
}

const layersFile = values.out ? join(values.out, 'predictor-layers.csv') : undefined;
const table = new Map(layerTable(layersFile ? keptTimes(layersFile) : []));
function keepLayers(): void {
  if (!layersFile) return;
  const rows = [...table.values()].map(({ layer: { key, kind, macs, bytes }, mean, interval }) => [
    ...[key, kind, macs, bytes, fixed(mean, 5), fixed(interval[0], 5), fixed(interval[1], 5), setting],
  ]);
  writeFileSync(layersFile, csv(LAYER_COLUMNS, rows));
}

const subjects: Subject[] = [];
for (const net of values.nets.split(',')) {
  for (const size of values.sizes.split(',').map(Number)) {
    const fused = benchModels(untrainedNet(net, size)).at(-1)!;
    const { dims, feeds } = fused;
    const layers = layersOf(fused.graph, dims);
    const missing = layers.filter(({ key }) => !table.has(key));
    const times = await timeLayers(engine, missing, { threads: 1, protocol, ...options });
    for (const time of times) table.set(time.layer.key, time);
    keepLayers();
    const subject = programSubject('fused', engine, fused, { dims, threads: 1, feeds });
    const [measured] = await measure([subject], protocol, options);
    const { mean, interval } = measured!;
    subjects.push({ net, size, layers, mean, interval });
    console.error(`${net}, ${size} px: ${times.length} layers timed, ${mean.toFixed(2)} ms`);
  }
}

/** `mobilenetv2` of `mobilenetv2_100`, `mobileone` of `s0`. */
const familyOf = (net: string): string => (/^[su]\d$/.test(net) ? 'mobileone' : /^[a-z]+(v\d)?/.exec(net)![0]);

/** What the table predicts for a subject with only the layers of some subjects in it. */
function predictFrom({ layers }: Subject, known: (other: Subject) => boolean): LatencyPrediction {
  const keys = new Set(subjects.filter(known).flatMap((other) => other.layers.map(({ key }) => key)));
  return predictLatency(layers, layerTable([...table.values()].filter(({ layer }) => keys.has(layer.key))));
}

const VARIANT = /^(mobileone_)?s\d$/;
const rows = subjects.map((subject) => {
  const own = predictFrom(subject, () => true);
  const nets = predictFrom(subject, ({ net }) => net !== subject.net);
  const families = predictFrom(subject, ({ net }) => familyOf(net) !== familyOf(subject.net));
  const variants = predictFrom(subject, ({ net }) => VARIANT.test(net) && net !== subject.net);
  const error = ({ milliseconds }: LatencyPrediction): number => milliseconds / subject.mean - 1;
  const errors = [own, nets, families, variants].map(error);
  return { subject, own, nets, families, variants, errors };
});
const percent = (share: number): string => `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)} %`;
console.log('| | size | measured | sum of its layers | from other networks | from other families | from S0–S4 |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const { subject, own, errors } of rows) {
  const [error, ...from] = errors.map(percent);
  const sum = `${own.milliseconds.toPrecision(4)} (${error})`;
  console.log(`| ${[subject.net, subject.size, `${subject.mean.toPrecision(4)} ms`, sum, ...from].join(' | ')} |`);
}
const NET_COLUMNS = ['net', 'size', 'measured_ms', 'low_ms', 'high_ms', 'layers', 'predicted_ms', 'error'];
const ways = ['nets', 'families', 'variants'] as const;
const columns = ways.flatMap((way) =>
  ['predicted_ms', 'error', 'measured_share', 'unlike_layers'].map((name) => `from_${way}_${name}`),
);
const cells = rows.map(({ subject, own, errors, ...from }) => [
  ...[subject.net, subject.size, fixed(subject.mean), fixed(subject.interval[0]), fixed(subject.interval[1])],
  ...[own.layers, fixed(own.milliseconds), fixed(errors[0]!)],
  ...ways.flatMap((way, i) => {
    const { milliseconds, measured, unknown } = from[way];
    return [fixed(milliseconds), fixed(errors[i + 1]!), fixed(measured), unknown.length];
  }),
  setting,
]);
if (values.out)
  writeFileSync(join(values.out, 'predictor-nets.csv'), csv([...NET_COLUMNS, ...columns, 'measured_on'], cells));
const summary = (index: number) => {
  const errors = rows.map((row) => row.errors[index]!);
  const sizes = errors.map(Math.abs);
  const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  return { mean: fixed(mean(sizes)), worst: fixed(Math.max(...sizes)), bias: fixed(mean(errors)) };
};
console.log(
  JSON.stringify({
    ...{ own: summary(0), fromOtherNets: summary(1), fromOtherFamilies: summary(2), fromVariants: summary(3) },
    ...{ nets: subjects.length, layers: table.size, clock: values.clock, cpu, cores, host, mobileone },
    engine: engine.capabilities().description,
  }),
);
