/**
 * Latency of a graph out of a table of layer times: the sum over its layers, on the device that the table is of. A search over widths
 * and resolutions asks it thousands of times without running anything.
 */
import { type Layer, type LayerTime, workOf } from './layers.ts';

export interface LatencyPrediction {
  readonly milliseconds: number;
  /** 95 % interval from the intervals of the layers that were measured; what is estimated has none. */
  readonly interval: readonly [number, number];
  readonly layers: number;
  /** Share of the predicted time that comes from measured layers; the rest is estimated by their like. */
  readonly measured: number;
  /** Layers for which nothing of their kind was measured: they count as nothing. */
  readonly unknown: readonly string[];
}

/** Layer times of one device, looked up by key. */
export type LayerTable = ReadonlyMap<string, LayerTime>;

/** The table of a list of times; of equal layers the last holds. */
export function layerTable(times: readonly LayerTime[]): LayerTable {
  return new Map(times.map((time) => [time.layer.key, time]));
}

/** How many measured layers an estimate is made of. */
const NEIGHBORS = 3;

/** Milliseconds of a layer that was not measured: those of its like by size, scaled by the work; undefined if there are none. */
function estimate(layer: Layer, table: LayerTable): number | undefined {
  const like = [...table.values()].filter((time) => time.layer.kind === layer.kind && time.mean > 0);
  if (like.length === 0) return undefined;
  const distance = ({ layer: other }: LayerTime): number =>
    Math.abs(Math.log(workOf(other) / workOf(layer))) + Math.abs(Math.log(other.bytes / layer.bytes));
  const nearest = like.sort((a, b) => distance(a) - distance(b)).slice(0, NEIGHBORS);
  const weights = nearest.map((time) => 1 / (0.05 + distance(time)));
  const rate = nearest.reduce((sum, time, i) => sum + weights[i]! * Math.log(time.mean / workOf(time.layer)), 0);
  return workOf(layer) * Math.exp(rate / weights.reduce((a, b) => a + b, 0));
}

/** Predicts the latency of a graph's layers. */
export function predictLatency(layers: readonly Layer[], table: LayerTable): LatencyPrediction {
  let [milliseconds, known, variance] = [0, 0, 0];
  const unknown: string[] = [];
  for (const layer of layers) {
    const time = table.get(layer.key);
    const mean = time?.mean ?? estimate(layer, table);
    if (mean === undefined) unknown.push(layer.key);
    milliseconds += mean ?? 0;
    if (!time) continue;
    known += time.mean;
    variance += ((time.interval[1] - time.interval[0]) / 2) ** 2;
  }
  const half = Math.sqrt(variance);
  return {
    milliseconds,
    interval: [Math.max(0, milliseconds - half), milliseconds + half],
    layers: layers.length,
    measured: milliseconds > 0 ? known / milliseconds : 1,
    unknown,
  };
}
