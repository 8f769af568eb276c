/** The tables of the study of scaling. */
import { type CountedLayer, PARTS, sideOf } from './scaling-nets.ts';
import { pacesOf } from './scaling-pace.ts';
import { TABLE_7 } from './scaling-paper.ts';
import type { BranchTime, ChangeTime, LayerOf, PartTime } from './scaling-times.ts';
import type { Column, Table } from './study.ts';
import { digits } from './words.ts';

const TIME: readonly Column[] = [
  { name: 'ms', unit: 'ms', meaning: 'time' },
  { name: 'low_ms', unit: 'ms', meaning: 'lower end of its 95 % interval' },
  { name: 'high_ms', unit: 'ms', meaning: 'upper end' },
];

const timeOf = ({ mean, interval }: Pick<PartTime, 'mean' | 'interval'>) => ({
  ...{ ms: digits(mean), low_ms: digits(interval[0]), high_ms: digits(interval[1]) },
});

const RUNTIME: Column = { name: 'runtime', meaning: 'runtime and threads' };
const NETWORK: Column = { name: 'network', meaning: 'name in the zoo' };
const PART: Column = { name: 'part', meaning: 'stem, stages 1 to 4 of the released code, head' };

/** The time of every part on every runtime. */
export function partTable(parts: readonly PartTime[], layers: readonly LayerOf[]): Table {
  const paces = new Map(
    parts.map(({ side }) => [side, pacesOf({ parts: parts.filter((one) => one.side === side), layers })] as const),
  );
  return {
    name: 'parts',
    title: 'Time by part',
    columns: [
      ...[NETWORK, RUNTIME, PART, ...TIME],
      { name: 'share', unit: '%', meaning: 'of the whole network' },
      { name: 'ps_per_mac', unit: 'ps', meaning: 'time per multiply-add' },
      { name: 'layers_ms', unit: 'ms', meaning: 'single layers of the part added up (wasm engine, one thread)' },
    ],
    rows: parts.map((one) => {
      const { net, side, part, share } = one;
      const pace = paces.get(side)!.find((other) => other.net === net && other.part === part);
      const own = layers.filter(({ net: other, counted }) => other === net && counted.part === part);
      const timed = side.runtime === 'wasm' && side.threads === 1 && own.length > 0 && own.every(({ time }) => time);
      return {
        ...{ network: net, runtime: side.title, part: PARTS[part]!, ...timeOf(one), share: digits(100 * share, 3) },
        ps_per_mac: pace ? digits(pace.picoseconds, 3) : null,
        layers_ms: timed ? digits(own.reduce((sum, { time }) => sum + time!.mean, 0)) : null,
      };
    }),
  };
}

/** What can be counted of every part, beside the blocks of the paper's Table 7. */
export function countTable(layers: readonly { readonly net: string; readonly counted: CountedLayer }[]): Table {
  const nets = [...new Set(layers.map(({ net }) => net))];
  return {
    name: 'counts',
    title: "What is counted of every part, beside the paper's Table 7",
    columns: [
      ...[NETWORK, PART],
      { name: 'output_px', unit: 'px', meaning: 'side of its output (head: of its input)' },
      { name: 'blocks', meaning: 'depthwise and pointwise pairs' },
      { name: 'paper_stages', meaning: "stages of the paper's Table 7" },
      { name: 'paper_blocks', meaning: 'their blocks there' },
      { name: 'macs', unit: 'M', meaning: 'multiply-adds' },
      { name: 'params', unit: 'k', meaning: 'parameters' },
      { name: 'activations', unit: 'MB', meaning: 'read and written, float32' },
      { name: 'weights', unit: 'MB', meaning: 'read, float32' },
      { name: 'bytes_per_mac', unit: 'B', meaning: 'activations and weights' },
    ],
    rows: nets.flatMap((net) =>
      PARTS.map((name, part) => {
        const own = layers.filter((one) => one.net === net && one.counted.part === part).map(({ counted }) => counted);
        const total = (key: 'macs' | 'params' | 'activationBytes' | 'weightBytes'): number =>
          own.reduce((sum, one) => sum + one[key], 0);
        const [macs, bytes] = [total('macs'), total('activationBytes') + total('weightBytes')];
        const paper = TABLE_7[part];
        return {
          ...{ network: net, part: name, output_px: sideOf(part) },
          blocks: own.filter(({ layer }) => layer.kind.includes('depthwise')).length,
          ...{ paper_stages: paper?.stages ?? null, paper_blocks: paper?.blocks ?? null },
          ...{ macs: digits(macs / 1e6), params: digits(total('params') / 1e3) },
          ...{ activations: digits(total('activationBytes') / 1e6), weights: digits(total('weightBytes') / 1e6) },
          bytes_per_mac: digits(bytes / macs, 3),
        };
      }),
    ),
  };
}

/** What blocks more and blocks elsewhere cost. */
export function blockTable(moves: readonly ChangeTime[]): Table {
  return {
    name: 'blocks',
    title: 'One block more, and one block elsewhere',
    columns: [
      { name: 'change', meaning: 'of the depths' },
      { name: 'depths', meaning: 'blocks of the stages' },
      RUNTIME,
      { name: 'more_ms', unit: 'ms', meaning: 'time more than before' },
      { name: 'low_ms', unit: 'ms', meaning: 'lower end of its 95 % interval' },
      { name: 'high_ms', unit: 'ms', meaning: 'upper end' },
      { name: 'more', unit: '%', meaning: 'of the time before' },
      { name: 'macs', unit: 'M', meaning: 'multiply-adds more' },
      { name: 'params', unit: 'k', meaning: 'parameters more' },
      { name: 'ps_per_mac', unit: 'ps', meaning: 'time more for each multiply-add more, of one block more' },
    ],
    rows: moves.map(({ label, depths, side, mean, interval, base, macs, params }) => ({
      ...{ change: label, depths: depths.join('-'), runtime: side.title, more_ms: digits(mean, 3) },
      ...{ low_ms: digits(interval[0], 3), high_ms: digits(interval[1], 3), more: digits((100 * mean) / base, 3) },
      ...{ macs: digits(macs / 1e6), params: digits(params / 1e3) },
      ps_per_mac: label.includes('more') ? digits((mean * 1e9) / macs, 3) : null,
    })),
  };
}

/** Every single layer. */
export function layerTableOf(layers: readonly LayerOf[]): Table {
  const wholes = new Map<string, number>();
  for (const { net, time } of layers) wholes.set(net, (wholes.get(net) ?? 0) + (time?.mean ?? 0));
  return {
    name: 'layers',
    title: 'Every layer by itself (wasm engine, one thread)',
    columns: [
      ...[NETWORK, PART],
      { name: 'layer', meaning: "timm's name" },
      { name: 'shape', meaning: 'what is computed: kernel, stride, groups, shapes' },
      { name: 'macs', unit: 'M', meaning: 'multiply-adds' },
      { name: 'params', unit: 'k', meaning: 'parameters' },
      { name: 'activations', unit: 'MB', meaning: 'read and written, float32' },
      ...TIME,
      { name: 'share', unit: '%', meaning: 'of the sum of all layers' },
    ],
    rows: layers.map(({ net, counted: { layer, name, part, macs, params, activationBytes }, time }) => ({
      ...{ network: net, part: PARTS[part]!, layer: name, shape: layer.key, macs: digits(macs / 1e6) },
      ...{ params: digits(params / 1e3), activations: digits(activationBytes / 1e6) },
      ...(time ? timeOf(time) : { ms: null, low_ms: null, high_ms: null }),
      share: time ? digits((100 * time.mean) / wholes.get(net)!, 3) : null,
    })),
  };
}

/** The train form against the fused one, for every number of branches. */
export function branchTable(forms: readonly BranchTime[]): Table {
  return {
    name: 'forms',
    title: 'Branches, before and after fusing',
    columns: [
      { name: 'k', meaning: 'convolutions a block; 0: the scale and skip branches alone, where there are any' },
      ...[RUNTIME, ...TIME],
      { name: 'fused_ms', unit: 'ms', meaning: 'the fused network, the same for every k' },
      { name: 'times', meaning: 'unfused relative to fused' },
      { name: 'macs', unit: 'M', meaning: 'multiply-adds, unfused' },
      { name: 'params', unit: 'M', meaning: 'parameters, unfused' },
      { name: 'activations', unit: 'MB', meaning: 'read and written by all layers, unfused' },
    ],
    rows: forms.map((one) => ({
      ...{ k: one.k, runtime: one.side.title, ...timeOf(one), fused_ms: digits(one.fused) },
      ...{ times: digits(one.mean / one.fused, 3), macs: digits(one.macs / 1e6), params: digits(one.params / 1e6) },
      activations: digits(one.activationBytes / 1e6),
    })),
  };
}
