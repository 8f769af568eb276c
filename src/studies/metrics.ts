/** What can be counted of a network without running it: one table. */
import type { Cost } from '../graph/cost.ts';

export type Metrics = Pick<Cost, 'macs' | 'params' | 'activationBytes' | 'weightBytes'>;
export type MetricName = 'macs' | 'params' | 'activations' | 'memory';

interface Metric {
  readonly title: string;
  readonly unit: string;
  /** In `unit`. */
  readonly of: (metrics: Metrics) => number;
  readonly meaning: string;
}

export const METRICS: Readonly<Record<MetricName, Metric>> = {
  macs: {
    title: 'FLOPs',
    unit: 'M multiply-adds',
    of: ({ macs }) => macs / 1e6,
    meaning: 'multiply-adds of convolutions and matrix products, which the paper calls FLOPs.',
  },
  params: {
    title: 'parameters',
    unit: 'M',
    of: ({ params }) => params / 1e6,
    meaning: 'of the inference form, BatchNorm folded.',
  },
  activations: {
    title: 'activation bytes',
    unit: 'MB',
    of: ({ activationBytes }) => activationBytes / 1e6,
    meaning:
      'float32 values that all layers read and write, each layer by itself; runtimes that join layers move fewer.',
  },
  memory: {
    title: 'memory traffic',
    unit: 'MB',
    of: ({ activationBytes, weightBytes }) => (activationBytes + weightBytes) / 1e6,
    meaning: 'the memory-access cost: activation bytes and the bytes of all weights, each read once.',
  },
};

export const METRIC_NAMES = Object.keys(METRICS) as readonly MetricName[];
