/**
 * How well latency is predicted by adding up layers: every network of the zoo at its own size, one image, one thread. Each is predicted from its own
 * layers, from those of all other networks alone (what a search over networks has), from those of other families alone, and from those
 * of the variants S0–S4 alone.
 * Usage: node build/bench-predictor.js [--nets s0,resnet18] [--sizes 192,224] [--rounds 6] [--runs 8] [--clock cpu] [--out docs/results]
 * MobileOne-S0 is measured beside every network and its layers: times of different minutes are compared at one pace.
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
import { hashText } from '../src/core/random.ts';
import { nodeWasmEngine } from '../src/engine/wasm/node.ts';
import { ZOO } from '../src/models/zoo/registry.ts';

const { values } = parseArgs({
  options: {
    nets: { type: 'string', default: Object.keys(ZOO).join(',') },
    sizes: { type: 'string' },
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
const measuredOn = [machine, host, engine.capabilities().description, values.clock, protocolHash(protocol)].join(' / ');
const setting = hashText(measuredOn).toString(16).padStart(8, '0');

const LAYER_COLUMNS = [
  'layer',
  'kind',
  'macs',
  'bytes',
  'mean_ms',
  'low_ms',
  'high_ms',
  'reference_ms',
  'setting',
] as const;
const quoted = (cell: string | number): string =>
  typeof cell === 'number' ? String(cell) : `"${cell.replaceAll('"', '""')}"`;
const csv = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  `${[head, ...rows.map((row) => row.map(quoted))].map((row) => row.join(',')).join('\n')}\n`;
const fixed = (value: number, digits = 4): number => Number(value.toFixed(digits));

/** A layer's time, and what the reference took just then. */
interface PacedTime extends LayerTime {
  readonly reference: number;
}

/** Layer times that an earlier run with these settings has left. */
function keptTimes(path: string): PacedTime[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .slice(1, -1)
    .map((line) =>
      [...line.matchAll(/"((?:[^"]|"")*)"|[^,]+/g)].map(([cell, text]) => text?.replaceAll('""', '"') ?? cell),
    )
    .filter((cells) => cells.at(-1) === setting)
    .map(([key = '', kind = '', ...numbers]) => {
      const [macs = 0, bytes = 0, mean = 0, low = 0, high = 0, reference = 1] = numbers.map(Number);
      return { layer: { key, kind, macs, bytes }, mean, interval: [low, high], reference };
    });
}

interface Subject {
  readonly net: string;
  readonly size: number;
  readonly layers: readonly Layer[];
  readonly mean: number;
  readonly interval: readonly [number, number];
  /** What the reference took in turn with it. */
  readonly reference: number;
}

const layersFile = values.out ? join(values.out, 'predictor-layers.csv') : undefined;
const table = new Map((layersFile ? keptTimes(layersFile) : []).map((time) => [time.layer.key, time]));
function keepLayers(): void {
  if (!layersFile) return;
  const rows = [...table.values()].map(({ layer: { key, kind, macs, bytes }, mean, interval, reference }) => [
    ...[
      key,
      kind,
      macs,
      bytes,
      fixed(mean, 5),
      fixed(interval[0], 5),
      fixed(interval[1], 5),
      fixed(reference),
      setting,
    ],
  ]);
  writeFileSync(layersFile, csv(LAYER_COLUMNS, rows));
}

function subjectOf(name: string, form: ReturnType<typeof benchModels>[number]) {
  return programSubject(name, engine, form, { dims: form.dims, threads: 1, feeds: form.feeds });
}
const reference = subjectOf('reference', benchModels(untrainedNet('s0'), { size: 224 }).at(-1)!);
const pace = async (): Promise<number> => (await measure([reference], protocol, options))[0]!.mean;

const subjects: Subject[] = [];
for (const net of values.nets.split(',')) {
  for (const asked of values.sizes?.split(',').map(Number) ?? [undefined]) {
    const model = untrainedNet(net, asked);
    const { size } = model.preprocessing;
    const fused = benchModels(model).at(-1)!;
    const layers = layersOf(fused.graph, fused.dims);
    const missing = layers.filter(({ key }) => !table.has(key));
    const before = await pace();
    const times = await timeLayers(engine, missing, { threads: 1, protocol, ...options });
    const [paced, measured] = await measure([reference, subjectOf('fused', fused)], protocol, options);
    const during = (before + paced!.mean) / 2;
    for (const time of times) table.set(time.layer.key, { ...time, reference: during });
    keepLayers();
    const { mean, interval } = measured!;
    subjects.push({ net, size, layers, mean, interval, reference: paced!.mean });
    console.error(`${net}, ${size} px: ${times.length} layers timed, ${mean.toFixed(2)} ms`);
  }
}

/** `mobilenetv2` of `mobilenetv2_100`, `mobileone` of `s0`. */
const familyOf = (net: string): string => (/^[su]\d$/.test(net) ? 'mobileone' : /^[a-z]+(v\d)?/.exec(net)![0]);

/** What the table predicts for a subject with only the layers of some subjects in it, at the pace of the subject's measurement. */
function predictFrom(subject: Subject, known: (other: Subject) => boolean): LatencyPrediction {
  const keys = new Set(subjects.filter(known).flatMap((other) => other.layers.map(({ key }) => key)));
  const times = [...table.values()].filter(({ layer }) => keys.has(layer.key));
  const converted = times.map((time) => ({ ...time, mean: (time.mean * subject.reference) / time.reference }));
  return predictLatency(subject.layers, layerTable(converted));
}

const VARIANT = /^(mobileone_)?s\d$/;
const rows = subjects.map((subject) => {
  const own = predictFrom(subject, () => true);
  const nets = predictFrom(subject, ({ net }) => net !== subject.net);
  const families = predictFrom(subject, ({ net }) => familyOf(net) !== familyOf(subject.net));
  const variants = predictFrom(subject, ({ net }) => VARIANT.test(net) && net !== subject.net);
  // Without any layer to go by there is no prediction.
  const error = ({ milliseconds }: LatencyPrediction): number | undefined =>
    milliseconds > 0 ? milliseconds / subject.mean - 1 : undefined;
  const errors = [own, nets, families, variants].map(error);
  return { subject, own, nets, families, variants, errors };
});
const percent = (share: number | undefined): string =>
  share === undefined ? '–' : `${share < 0 ? '−' : '+'}${Math.abs(100 * share).toFixed(1)} %`;
console.log('| | size | measured | sum of its layers | from other networks | from other families | from S0–S4 |');
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const { subject, own, errors } of rows) {
  const [error, ...from] = errors.map(percent);
  const sum = `${own.milliseconds.toPrecision(4)} (${error})`;
  console.log(`| ${[subject.net, subject.size, `${subject.mean.toPrecision(4)} ms`, sum, ...from].join(' | ')} |`);
}
const NET_COLUMNS = [
  'net',
  'size',
  'measured_ms',
  'low_ms',
  'high_ms',
  'reference_ms',
  'layers',
  'predicted_ms',
  'error',
];
const ways = ['nets', 'families', 'variants'] as const;
const columns = ways.flatMap((way) =>
  ['predicted_ms', 'error', 'measured_share', 'unlike_layers'].map((name) => `from_${way}_${name}`),
);
const cells = rows.map(({ subject, own, errors, ...from }) => [
  ...[subject.net, subject.size, fixed(subject.mean), fixed(subject.interval[0]), fixed(subject.interval[1])],
  fixed(subject.reference),
  ...[own.layers, fixed(own.milliseconds), fixed(errors[0]!)],
  ...ways.flatMap((way, i): (string | number)[] => {
    const { milliseconds, measured, unknown } = from[way];
    const error = errors[i + 1];
    return error === undefined
      ? ['', '', '', '']
      : [fixed(milliseconds), fixed(error), fixed(measured), unknown.length];
  }),
  setting,
  measuredOn,
]);
if (values.out)
  writeFileSync(
    join(values.out, 'predictor-nets.csv'),
    csv([...NET_COLUMNS, ...columns, 'setting', 'measured_on'], cells),
  );
const summary = (index: number) => {
  const errors = rows.flatMap((row) => row.errors[index] ?? []);
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
