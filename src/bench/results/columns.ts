/** The tables of the results store: names and types of their columns, and how sessions become rows. */
import type { Device } from '../device.ts';
import type { LayerTime } from '../predict/layers.ts';
import type { MeasuredModel, Session } from './session.ts';

/** `numbers` is a list of them. */
export type ColumnType = 'text' | 'number' | 'integer' | 'time' | 'numbers';
export type Cell = string | number | Date | readonly number[] | null;
export type Row = Readonly<Record<string, Cell>>;
export type TableName = 'measurements' | 'minutes' | 'layers';

const WHO = {
  session: 'text',
  time: 'time',
} as const;
const MODEL = {
  model: 'text',
  model_hash: 'text',
  size: 'integer',
  batch: 'integer',
  macs: 'number',
  parameters: 'number',
} as const;
const RUNTIME = {
  form: 'text',
  runtime: 'text',
  runtime_version: 'text',
  settings: 'text',
  threads: 'integer',
} as const;
const DEVICE = {
  cpu: 'text',
  cores: 'integer',
  memory_gb: 'number',
  system: 'text',
  host: 'text',
  gpu: 'text',
  features: 'text',
  mobileone: 'text',
  machine: 'text',
  fingerprint: 'text',
} as const;

/** Columns of every table, in order. All times are milliseconds but for `from_s` and `to_s`. New columns may only be added. */
export const TABLES: Readonly<Record<TableName, Readonly<Record<string, ColumnType>>>> = {
  measurements: {
    id: 'text',
    ...WHO,
    ...MODEL,
    ...RUNTIME,
    protocol: 'text',
    warmup: 'integer',
    rounds: 'integer',
    runs_per_round: 'integer',
    trim: 'integer',
    mean_ms: 'number',
    low_ms: 'number',
    high_ms: 'number',
    minimum_ms: 'number',
    median_ms: 'number',
    runs: 'integer',
    load_ms: 'number',
    compile_ms: 'number',
    cold_start_ms: 'number',
    first_run_ms: 'number',
    difference: 'number',
    round_means_ms: 'numbers',
    noise: 'text',
    ...DEVICE,
  },
  minutes: {
    ...WHO,
    ...MODEL,
    ...RUNTIME,
    from_s: 'number',
    to_s: 'number',
    runs: 'integer',
    mean_ms: 'number',
    median_ms: 'number',
    minimum_ms: 'number',
    ...DEVICE,
  },
  layers: {
    ...WHO,
    layer: 'text',
    kind: 'text',
    macs: 'number',
    bytes: 'number',
    threads: 'integer',
    engine: 'text',
    protocol: 'text',
    mean_ms: 'number',
    low_ms: 'number',
    high_ms: 'number',
    ...DEVICE,
  },
};

const deviceCells = (device: Device): Row => ({
  cpu: device.cpu,
  cores: device.cores,
  memory_gb: device.memoryGigabytes,
  system: device.system,
  host: device.host,
  gpu: device.gpu ?? null,
  features: device.features.join(' '),
  mobileone: device.mobileone,
  machine: device.machine,
  fingerprint: device.fingerprint,
});

const modelCells = ({ name, hash, size, batch, macs, parameters }: MeasuredModel): Row => ({
  ...{ model: name, model_hash: hash, size, batch, macs, parameters },
});

const runtimeCells = (run: {
  readonly name: string;
  readonly key: string;
  readonly runtime: string;
  readonly settings: string;
  readonly threads: number;
}): Row => ({
  ...{ form: run.name, runtime: run.key, runtime_version: run.runtime, settings: run.settings, threads: run.threads },
});

/** A session as rows of the tables `measurements` and `minutes`. */
export function sessionRows(session: Session): Readonly<Record<'measurements' | 'minutes', readonly Row[]>> {
  const who = { session: session.id, time: new Date(session.time) };
  const model = modelCells(session.model);
  const device = deviceCells(session.device);
  const { warmup, rounds, runsPerRound, trim } = session.protocol;
  return {
    measurements: session.measurements.map((one, i) => ({
      id: `${session.id.slice(0, 6)}-${i + 1}`,
      ...who,
      ...model,
      ...runtimeCells(one),
      ...{ protocol: one.protocol, warmup, rounds, runs_per_round: runsPerRound, trim },
      ...{ mean_ms: one.mean, low_ms: one.interval[0], high_ms: one.interval[1] },
      ...{ minimum_ms: one.minimum, median_ms: one.median, runs: one.runs },
      ...{ load_ms: one.load, compile_ms: one.compile, cold_start_ms: one.coldStart, first_run_ms: one.firstRun },
      ...{ difference: one.difference ?? null, round_means_ms: one.roundMeans, noise: one.noise.join('; ') },
      ...device,
    })),
    minutes: session.soaks.flatMap((soak) =>
      soak.windows.map((window) => ({
        ...who,
        ...model,
        ...runtimeCells(soak),
        ...{ from_s: window.from, to_s: window.to, runs: window.runs },
        ...{ mean_ms: window.mean, median_ms: window.median, minimum_ms: window.minimum },
        ...device,
      })),
    ),
  };
}

/** Times of layers as rows of the table `layers`. */
export function layerRows(
  session: string,
  times: readonly LayerTime[],
  on: { readonly device: Device; readonly engine: string; readonly threads: number; readonly protocol: string },
): Row[] {
  const { device, engine, threads, protocol } = on;
  return times.map(({ layer: { key, kind, macs, bytes }, mean, interval }) => ({
    ...{ session, time: new Date(), layer: key, kind, macs, bytes, threads, engine, protocol },
    ...{ mean_ms: mean, low_ms: interval[0], high_ms: interval[1] },
    ...deviceCells(device),
  }));
}
