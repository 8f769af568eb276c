/** How the wasm engine would train a model: `info --plan`. */
import { planProgram } from '../engine/wasm/plan.ts';
import type { Graph } from '../graph/graph.ts';
import { groupDigits } from '../graph/print.ts';
import { trainStep } from '../step/train-step.ts';
import type { Io } from './io.ts';

export interface PlanSizes {
  readonly batch: number;
  readonly size: number;
  readonly threads: number;
}

const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(1);
const millions = (macs: number | undefined): string => (macs === undefined ? '' : groupDigits(Math.round(macs / 1e6)));

/** Prints every node of the training step with the form chosen for it, the multiply-adds of both, and its memory. */
export function printTrainingPlan(
  io: Io,
  model: Graph,
  classes: number,
  { batch, size, threads }: PlanSizes,
  json: boolean,
): void {
  const step = trainStep(model, classes, { momentum: 0.9, nesterov: false, ema: true });
  const { nodes, memory } = planProgram(step, { dims: { N: batch, H: size, W: size }, threads });
  if (json) {
    io.out(JSON.stringify({ batch, size, threads, nodes, memory }));
    return;
  }
  const rows = [
    ['node', 'kind', 'form', 'online MMACs', 'explicit MMACs', 'MiB'],
    ...nodes
      .filter(({ bytes, form }) => bytes > 0 || form)
      .map(({ name, kind, form, online, explicit, bytes }) => [
        name,
        kind,
        form ?? '',
        millions(online),
        millions(explicit),
        mebibytes(bytes),
      ]),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    io.out(
      row
        .map((text, i) => (i < 3 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    );
  }
  io.out(
    `\ntraining step, batch ${batch}, ${size} px, ${threads} thread${threads > 1 ? 's' : ''}: ` +
      `${mebibytes(memory.state)} MiB of state, ${mebibytes(memory.activations)} MiB of activations and scratch at the peak` +
      (memory.recomputed ? ', depthwise outputs computed twice to save some' : ''),
  );
  io.out(
    'A form is chosen for pointwise RepConvs only: online (one convolution, moments of its input) or explicit (branch by branch).',
  );
  io.out('Buffers share memory when their lives do not meet, so the peak is less than the sum of the last column.');
}
