/**
 * How well latency is predicted by adding up layers: every variant of the registry, or any network of the zoo, at several sizes, one
 * image, one thread.
 * Each is predicted from its own layers, and from those of all others alone (what a search over networks has).
 * Usage: node build/bench-predictor.js [--nets s0,resnet18] [--sizes 128,192,224] [--rounds 10] [--runs 10] [--clock cpu]
 * `--clock cpu` counts the time that the processor worked for this process, for machines that are shared with other work.
 */
import { parseArgs } from 'node:util';
import { describeDevice } from '../src/bench/device-node.ts';
import { measure, programSubject } from '../src/bench/measure.ts';
import { type Layer, type LayerTime, layersOf } from '../src/bench/predict/layers.ts';
import { layerTable, predictLatency } from '../src/bench/predict/predict.ts';
import { timeLayers } from '../src/bench/predict/time-layers.ts';
import { shortProtocol } from '../src/bench/protocol.ts';
import { benchModels } from '../src/bench/subjects-node.ts';
import { untrainedNet } from '../src/cli/named-net.ts';
import { nodeWasmEngine } from '../src/engine/wasm/node.ts';
import { VARIANTS } from '../src/models/mobileone.ts';

const { values } = parseArgs({
  options: {
    nets: { type: 'string', default: Object.keys(VARIANTS).join(',') },
    sizes: { type: 'string', default: '128,160,192,224' },
    rounds: { type: 'string', default: '10' },
    runs: { type: 'string', default: '10' },
    clock: { type: 'string', default: 'wall' },
    wide: { type: 'string', default: 'auto' },
  },
});

const cpuTime = (): number => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
const options = values.clock === 'cpu' ? { clock: cpuTime } : {};
const protocol = shortProtocol(Number(values.rounds), Number(values.runs));
const engine = await nodeWasmEngine({ threads: 1, wide: values.wide === 'off' ? 'off' : 'auto' });

interface Subject {
  readonly net: string;
  readonly size: number;
  readonly layers: readonly Layer[];
  readonly measured: number;
}

const subjects: Subject[] = [];
const table = new Map<string, LayerTime>();
for (const net of values.nets.split(',')) {
  for (const size of values.sizes.split(',').map(Number)) {
    const fused = benchModels(untrainedNet(net, size)).at(-1)!;
    const { dims, feeds } = fused;
    const layers = layersOf(fused.graph, dims);
    const missing = layers.filter(({ key }) => !table.has(key));
    const times = await timeLayers(engine, missing, { threads: 1, protocol, ...options });
    for (const time of times) table.set(time.layer.key, time);
    const subject = programSubject('fused', engine, fused, { dims, threads: 1, feeds });
    const [measured] = await measure([subject], protocol, options);
    subjects.push({ net, size, layers, measured: measured!.mean });
    console.error(`${net}, ${size} px: ${times.length} layers timed, ${measured!.mean.toFixed(2)} ms`);
  }
}

const errors: { own: number[]; others: number[] } = { own: [], others: [] };
for (const { net, size, layers, measured } of subjects) {
  const own = predictLatency(layers, table);
  const keys = new Set(
    subjects.filter((other) => other.net !== net).flatMap((other) => other.layers.map(({ key }) => key)),
  );
  const others = predictLatency(layers, layerTable([...table.values()].filter(({ layer }) => keys.has(layer.key))));
  const error = (predicted: number): number => predicted / measured - 1;
  errors.own.push(Math.abs(error(own.milliseconds)));
  errors.others.push(Math.abs(error(others.milliseconds)));
  console.log(
    JSON.stringify({
      ...{ net, size, measured, predicted: own.milliseconds, error: error(own.milliseconds) },
      fromOthers: {
        predicted: others.milliseconds,
        error: error(others.milliseconds),
        measured: others.measured,
        unknown: others.unknown.length,
      },
    }),
  );
}
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
const summary = (list: readonly number[]) => ({ mean: mean(list), worst: Math.max(...list) });
const { cpu, cores, host, mobileone } = describeDevice();
console.log(
  JSON.stringify({
    ...{ own: summary(errors.own), fromOthers: summary(errors.others), nets: subjects.length, layers: table.size },
    ...{ clock: values.clock, cpu, cores, host, mobileone, engine: engine.capabilities().description },
  }),
);
