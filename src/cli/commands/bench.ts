import { describeDevice } from '../../bench/device-node.ts';
import { type Measurement, measure } from '../../bench/measure.ts';
import { MODEL_BENCH, type Protocol, shortProtocol } from '../../bench/protocol.ts';
import { type MeasuredModel, modelSubjects } from '../../bench/subjects-node.ts';
import { autoThreads } from '../../engine/wasm/auto-threads-node.ts';
import { DEFAULT_PREPROCESSING } from '../../images/preprocess.ts';
import { initialState } from '../../models/init.ts';
import { mobileOne } from '../../models/mobileone.ts';
import { zooNet } from '../../models/zoo/registry.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { isBareName, namedNet } from '../named-net.ts';
import { openEngine, threadCount, wholeNumber } from '../open-engine.ts';
import { openModel } from '../open-model.ts';

export interface BenchFlags {
  readonly size?: string | undefined;
  readonly batch: string;
  readonly threads: string;
  readonly wide?: string | undefined;
  readonly rounds: string;
  readonly runs: string;
  readonly json?: true | undefined;
}

/** `mobileone bench`: latency of both forms here, on our engine and on each ONNX Runtime that is installed. */
export async function benchCommand(io: Io, target: string, flags: BenchFlags): Promise<number> {
  const size = wholeNumber('--size', flags.size, 32);
  const batch = wholeNumber('--batch', flags.batch);
  const threads = threadCount(flags.threads) ?? autoThreads();
  const protocol = protocolOf(wholeNumber('--rounds', flags.rounds), wholeNumber('--runs', flags.runs));
  const model = isBareName(target) ? untrained(target) : (await openModel(target)).model;
  const engine = await openEngine({ threads, wide: flags.wide });
  const { subjects, notes } = await modelSubjects(model, { engine, batch, threads, ...(size ? { size } : {}) });
  const results = await measure(subjects, protocol, (done, total) => {
    if (flags.json) return;
    if (io.terminal) io.raw(`\r\x1b[2Kround ${done} of ${total}${done === total ? '\r\x1b[2K' : ''}`);
    else if (done % 5 === 0) io.out(`round ${done} of ${total}`);
  });
  const device = describeDevice();
  const side = size ?? model.preprocessing.size;
  if (flags.json) {
    io.out(JSON.stringify({ model: target, size: side, batch, threads, protocol, device, results, notes }));
    return EXIT.ok;
  }
  const { rounds, runsPerRound, warmup, trim } = protocol;
  io.out(`${target}, ${batch} image${batch > 1 ? 's' : ''} of ${side} px, ${threads} thread${threads > 1 ? 's' : ''}`);
  io.out(`${device.cpu}, ${device.cores} cores, Node ${device.node}, mobileone ${device.mobileone}`);
  io.out(`${rounds} rounds of ${runsPerRound} runs after ${warmup}, ${trim} cut at either end of each; milliseconds\n`);
  for (const line of table(results)) io.out(line);
  for (const note of notes) io.out(note);
  return EXIT.ok;
}

/** Apple's protocol when its numbers are asked for, else a shorter one with the same share cut away. */
function protocolOf(rounds: number, runs: number): Protocol {
  const { rounds: full, runsPerRound } = MODEL_BENCH;
  return rounds === full && runs === runsPerRound ? MODEL_BENCH : shortProtocol(rounds, runs);
}

/** A variant or a network of the zoo with random weights: latency does not depend on them. */
function untrained(name: string): MeasuredModel {
  const named = namedNet(name);
  const graph = 'net' in named ? zooNet(named.net).build() : mobileOne(named.config);
  const form = graph.nodes.some(({ kind }) => kind === 'RepConv') ? 'train' : 'fused';
  const state = initialState(graph, 0);
  return { config: { in_chans: 3 }, graph, state, form, preprocessing: DEFAULT_PREPROCESSING };
}

function table(results: readonly Measurement[]): string[] {
  const best = Math.min(...results.map(({ mean }) => mean));
  const ms = (value: number): string => value.toFixed(value < 10 ? 3 : 2);
  const rows = [
    ['', 'runtime', 'minimum', 'median', 'mean', '95 %', 'first run', 'start', 'times'],
    ...results.map((row) => [
      row.name,
      row.runtime,
      ms(row.minimum),
      ms(row.median),
      ms(row.mean),
      `${ms(row.interval[0])} – ${ms(row.interval[1])}`,
      ms(row.firstRun),
      ms(row.coldStart),
      (row.mean / best).toFixed(2),
    ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, c) => (c < 2 ? cell.padEnd(widths[c]!) : cell.padStart(widths[c]!))).join('  '),
  );
}
