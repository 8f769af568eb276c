/**
 * Latency of a graph out of a table of layer times: the sum over its layers, on the device that the table is of. A search over widths
 * and resolutions asks it thousands of times without running anything.
 */
import { type Layer, type LayerTime, workOf } from './layers.ts';

/** All layers of one kind together. */
export interface KindShare {
  readonly kind: string;
  readonly layers: number;
  readonly milliseconds: number;
}

export interface LatencyPrediction {
  readonly milliseconds: number;
  /** 95 % interval from the intervals of the layers that were measured; what is estimated has none. */
  readonly interval: readonly [number, number];
  readonly layers: number;
  /** Share of the predicted time that comes from measured layers; the rest is estimated by their like. */
  readonly measured: number;
  /** Layers of whose kind nothing was measured: estimated by other kinds, roughly; with an empty table they count as nothing. */
  readonly unknown: readonly string[];
  /** Where the time goes, the most first. */
  readonly kinds: readonly KindShare[];
}

/** Layer times of one device, looked up by key. */
export type LayerTable = ReadonlyMap<string, LayerTime>;

/** The table of a list of times; of equal layers the last holds. */
export function layerTable(times: readonly LayerTime[]): LayerTable {
  return new Map(times.map((time) => [time.layer.key, time]));
}

/** How many measured layers an estimate is made of. */
const NEIGHBORS = 3;

/** What bounds layers of a kind: products (the arithmetic), depthwise windows (both), or one pass over memory. */
function classOf(kind: string): 'depthwise' | 'product' | 'pass' {
  if (kind.includes('depthwise')) return 'depthwise';
  return /^(Conv|Gemm|MatMul)/.test(kind) ? 'product' : 'pass';
}

/** The measured layers that are most like one of this kind: of the kind itself, else of its class, else all. */
function likeOf(kind: string, table: LayerTable): readonly LayerTime[] {
  const all = [...table.values()].filter(({ mean }) => mean > 0);
  const same = all.filter(({ layer }) => layer.kind === kind);
  if (same.length > 0) return same;
  const alike = all.filter(({ layer }) => classOf(layer.kind) === classOf(kind));
  return alike.length > 0 ? alike : all;
}

/** Milliseconds of a layer that was not measured: those of its like by size, scaled by the work; undefined if there are none. */
function estimate(layer: Layer, like: readonly LayerTime[]): number | undefined {
  if (like.length === 0) return undefined;
  const distance = ({ layer: other }: LayerTime): number =>
    Math.abs(Math.log(workOf(other) / workOf(layer))) + Math.abs(Math.log(other.bytes / layer.bytes));
  const nearest = like.toSorted((a, b) => distance(a) - distance(b)).slice(0, NEIGHBORS);
  const weights = nearest.map((time) => 1 / (0.05 + distance(time)));
  const rate = nearest.reduce((sum, time, i) => sum + weights[i]! * Math.log(time.mean / workOf(time.layer)), 0);
  return workOf(layer) * Math.exp(rate / weights.reduce((a, b) => a + b, 0));
}

/** Predicts the latency of a graph's layers. */
export function predictLatency(layers: readonly Layer[], table: LayerTable): LatencyPrediction {
  let [milliseconds, known, variance] = [0, 0, 0];
  const unknown: string[] = [];
  const kinds = new Map<string, KindShare>();
  const estimates = new Map<string, number | undefined>();
  for (const layer of layers) {
    const { key, kind } = layer;
    const time = table.get(key);
    if (!time) {
      const like = likeOf(kind, table);
      if (!estimates.has(key)) estimates.set(key, estimate(layer, like));
      if (like[0]?.layer.kind !== kind) unknown.push(key);
    } else {
      known += time.mean;
      variance += ((time.interval[1] - time.interval[0]) / 2) ** 2;
    }
    const mean = time?.mean ?? estimates.get(key) ?? 0;
    milliseconds += mean;
    const share = kinds.get(kind) ?? { kind, layers: 0, milliseconds: 0 };
    kinds.set(kind, { kind, layers: share.layers + 1, milliseconds: share.milliseconds + mean });
  }
  const half = Math.sqrt(variance);
  return {
    milliseconds,
    interval: [Math.max(0, milliseconds - half), milliseconds + half],
    layers: layers.length,
    measured: milliseconds > 0 ? known / milliseconds : 1,
    unknown,
    kinds: [...kinds.values()].toSorted((a, b) => b.milliseconds - a.milliseconds),
  };
}
