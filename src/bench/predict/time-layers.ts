/** Times layers one by one on an engine. */
import type { Tensor } from '../../core/tensor.ts';
import { sizeOf } from '../../core/tensor.ts';
import type { Engine } from '../../engine/engine.ts';
import { convAttrs, graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { initialState } from '../../models/init.ts';
import { measure, programSubject } from '../measure.ts';
import { patternImage } from '../pattern.ts';
import { type Protocol, shortProtocol, type Timing } from '../protocol.ts';
import { average, deviation, tQuantile } from '../statistics.ts';
import { type Layer, type LayerTime, layerGraph } from './layers.ts';

/** How a layer is measured: short, since there are many. */
export const LAYER_PROTOCOL: Protocol = shortProtocol(10, 10);

/** Copies beside the one that every run has; more of them for small layers, whose time drowns in that of the call. */
function extraCopies({ macs, bytes }: Layer): number {
  const heavy = Math.max(macs / 2e6, bytes / 8e6);
  return Math.max(2, Math.min(24, Math.round(8 / heavy)));
}

export interface TimeLayersOptions {
  readonly threads: number;
  readonly protocol?: Protocol;
  readonly onLayer?: (done: number, total: number) => void;
  readonly clock?: () => number;
}

const named = (name: string, engine: Engine, graph: Graph, feeds: Readonly<Record<string, Tensor>>, threads: number) =>
  programSubject(name, engine, { graph, state: initialState(graph, 0) }, { dims: {}, threads, feeds });

function feedsOf({ inputs }: Layer): Record<string, Tensor> {
  return Object.fromEntries(
    inputs.map(({ name, shape, dtype }) => {
      const sizes = shape as readonly number[];
      if (dtype === 'uint8') return [name, patternImage(sizes)];
      const data = Float32Array.from({ length: sizeOf(sizes) }, (_, i) => ((i * 37) % 255) / 255);
      return [name, { shape: sizes, data }];
    }),
  );
}

/** Mean and 95 % interval of the rounds' differences, divided by a count; no time is below zero. */
function difference(more: Timing, less: Timing, count: number): Pick<LayerTime, 'mean' | 'interval'> {
  const each = more.roundMeans.map((value, i) => (value - less.roundMeans[i]!) / count);
  const mean = average(each);
  const half = each.length > 1 ? (tQuantile(each.length - 1) * deviation(each, mean)) / Math.sqrt(each.length) : 0;
  return { mean: Math.max(0, mean), interval: [Math.max(0, mean - half), Math.max(0, mean + half)] };
}

/**
 * Times each distinct layer (by key). A layer's time is what further copies of it add to a run, measured in turn; the first node of a
 * model with its preprocessing inside (Preprocess) counts with the whole call: feeding, starting the threads, reading.
 */
export async function timeLayers(
  engine: Engine,
  layers: readonly Layer[],
  { threads, protocol = LAYER_PROTOCOL, onLayer = () => {}, clock }: TimeLayersOptions,
): Promise<LayerTime[]> {
  const distinct = [...new Map(layers.map((layer) => [layer.key, layer])).values()];
  const times: LayerTime[] = [];
  const options = clock ? { clock } : {};
  for (const layer of distinct) {
    const feeds = feedsOf(layer);
    if (layer.nodes[0].kind === 'Preprocess') {
      const [call] = await measure([named('call', engine, callGraph(layer), feeds, threads)], protocol, options);
      times.push({ layer, mean: call!.mean, interval: call!.interval });
    } else {
      const extra = extraCopies(layer);
      const subjects = [1 + extra, 1].map((copies) =>
        named(`${copies}`, engine, layerGraph(layer, copies), feeds, threads),
      );
      const [more, less] = await measure(subjects, protocol, options);
      times.push({ layer, ...difference(more!, less!, extra) });
    }
    onLayer(times.length, distinct.length);
  }
  return times;
}

/**
 * The image, its preprocessing, and an output that costs nothing: a dense convolution of one position. It must be dense as the first of
 * a network is, since the layout of the image depends on who reads it.
 */
function callGraph({ nodes: [node], inputs: [image] }: Layer): Graph {
  const builder = graphBuilder('call');
  if (node.kind !== 'Preprocess') throw new TypeError('a call begins with Preprocess');
  const [, height, width, channels] = image!.shape as readonly number[];
  const x = builder.op('Preprocess', node.name, [builder.input(image!.name, image!.shape, 'uint8')], node.attrs);
  const once = convAttrs(1, Math.max(height!, width!));
  return builder.build({ output: builder.conv('one_position', x, 8, channels!, once) });
}
