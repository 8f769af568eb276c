/** The figures of the study of scaling. */
import { ZOO } from '../models/zoo/registry.ts';
import type { Bars, LinePoint, Lines, Stack } from './figures.ts';
import { groupTimes, LAYER_GROUPS, layerGroup } from './scaling-groups.ts';
import { PARTS, sideOf } from './scaling-nets.ts';
import { earlyToLate, type Pace, pacesOf } from './scaling-pace.ts';
import type { BranchTime, Found, PartTime, Side } from './scaling-times.ts';
import { msText } from './words.ts';

export const titleOf = (net: string): string => ZOO[net]?.title ?? net;

export const netsOf = ({ parts }: Pick<Found, 'parts'>): string[] => [...new Set(parts.map(({ net }) => net))];

const subtitleOf = ({ title }: Side): string => `one image of 224 px, ${title}`;

/** The part of a network that takes most. */
export const largest = (parts: readonly PartTime[], net: string): PartTime =>
  parts.filter((one) => one.net === net).reduce((a, b) => (b.mean > a.mean ? b : a));

export const percent = (share: number): string => `${String(Math.round(100 * share)).replace('-', '−')} %`;

/** Every network's time by parts, in milliseconds or as shares. */
export function partStack({ parts, main }: Found, of: 'ms' | 'share'): Stack {
  const nets = netsOf({ parts });
  const tops = nets.map((net) => largest(parts, net));
  const shares = tops.map(({ share }) => share);
  const same = tops.every(({ part }) => part === tops[0]!.part);
  const range = [...new Set([percent(Math.min(...shares)), percent(Math.max(...shares))])].join(' to ');
  const whole = (net: string): number =>
    parts.filter((one) => one.net === net).reduce((sum, { mean }) => sum + mean, 0);
  const wholes = nets.map(whole);
  return {
    kind: 'stack',
    name: `part-${of}`,
    title:
      of === 'share'
        ? same
          ? `${PARTS[tops[0]!.part]![0]!.toUpperCase()}${PARTS[tops[0]!.part]!.slice(1)}, at ${sideOf(tops[0]!.part)} px, takes the most of ${nets.length > 1 ? 'every variant' : titleOf(nets[0]!)}: ${range}`
          : `The part that takes most is ${tops.map(({ net, part }) => `${PARTS[part]} in ${titleOf(net).replace('MobileOne-', '')}`).join(', ')}`
        : nets.length > 1
          ? `From ${titleOf(nets[0]!)} to ${titleOf(nets.at(-1)!)} the time grows ${(wholes.at(-1)! / wholes[0]!).toFixed(1)} times`
          : `${titleOf(nets[0]!)} takes ${msText(wholes[0]!)} ms`,
    subtitle: subtitleOf(main),
    axis: of === 'ms' ? { title: 'time', unit: 'ms' } : { title: 'share of the time', unit: '%' },
    parts: PARTS,
    stacks: nets.map((net) => ({
      label: titleOf(net),
      values: Object.fromEntries(
        parts
          .filter((one) => one.net === net)
          .map(({ part, mean, share }) => [PARTS[part]!, Math.max(0, of === 'ms' ? mean : 100 * share)]),
      ),
    })),
  };
}

/** Points that a logarithmic axis can show: above zero, as their intervals must be. */
function positive(points: readonly LinePoint[]): LinePoint[] {
  return points
    .filter(({ y }) => y > 0)
    .map(({ yInterval, ...point }) => ({ ...point, ...(yInterval && yInterval[0] > 0 ? { yInterval } : {}) }));
}

/** Time per multiply-add over the side of the feature map. */
export function paceLines(found: Found): Lines {
  const paces = pacesOf(found);
  const ratio = earlyToLate(paces.filter(({ net }) => net === found.first));
  return {
    kind: 'lines',
    name: 'pace',
    title: ratio
      ? `A multiply-add of ${titleOf(found.first)}'s stage 1 takes ${ratio.toFixed(2)} times as long as one of stage 3`
      : 'Time per multiply-add by resolution: noise hides the difference of the stages',
    subtitle: `${subtitleOf(found.main)}; 112 px is the stem with feeding and preprocessing the image`,
    x: { title: "side of the part's output", unit: 'px', log: true },
    y: { title: 'time per multiply-add', unit: 'ps', log: true },
    lines: netsOf(found).map((net) => ({
      label: titleOf(net),
      points: positive(
        paces
          .filter((one) => one.net === net)
          .map(({ part, picoseconds, interval }) => ({ x: sideOf(part), y: picoseconds, yInterval: interval })),
      ),
      ...(net === found.first ? { emphasized: true } : {}),
    })),
  };
}

/** The same of one network on every runtime. */
export function paceSides({ first, layers }: Found, parts: readonly PartTime[]): Lines {
  const sides = [...new Set(parts.map(({ side }) => side))].slice(0, MOST_LINES);
  const of = (side: Side): Pace[] =>
    pacesOf({ parts: parts.filter((one) => one.side === side && one.net === first), layers });
  const ratios = sides.flatMap((side) => earlyToLate(of(side)) ?? []);
  return {
    kind: 'lines',
    name: 'pace-runtimes',
    title:
      ratios.length > 0
        ? `By runtime, a multiply-add of stage 1 takes ${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)} times as long as one of stage 3`
        : 'Time per multiply-add by runtime and resolution',
    subtitle: `${titleOf(first)}, one image of 224 px`,
    x: { title: "side of the part's output", unit: 'px', log: true },
    y: { title: 'time per multiply-add', unit: 'ps', log: true },
    lines: sides.map((side, i) => ({
      label: side.title,
      points: positive(
        of(side).map(({ part, picoseconds, interval }) => ({ x: sideOf(part), y: picoseconds, yInterval: interval })),
      ),
      ...(i === 0 ? { emphasized: true } : {}),
    })),
  };
}

const signed = (value: number, text: (size: number) => string): string =>
  `${value < 0 ? '−' : '+'}${text(Math.abs(value))}`;

/** What a block more or elsewhere costs. */
export function moveBars({ first, main, moves }: Found): Bars {
  const single = moves.filter(({ label, interval }) => label.includes('more') && interval[0] > 0);
  const [cheapest, ...others] = [...single].sort((a, b) => a.mean - b.mean);
  const dearest = others.at(-1);
  const stage = (label: string): string => label.slice(label.indexOf('stage'));
  return {
    kind: 'bars',
    name: 'moves',
    title:
      cheapest && dearest
        ? `One block more costs ${msText(dearest.mean)} ms in ${stage(dearest.label)} and ${msText(cheapest.mean)} ms in ${stage(cheapest.label)}`
        : 'What one block more costs is lost in noise here',
    subtitle: `${titleOf(first)}, ${subtitleOf(main)}`,
    axis: { title: 'time more', unit: 'ms' },
    bars: moves.map(({ label, mean, interval }) => ({
      ...{ label, value: mean, interval, emphasized: label.includes('moved') },
      text: signed(mean, msText),
    })),
  };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Every network's time by what its layers are. */
export function kindStack(found: Found): Stack {
  const nets = [...new Set(found.layers.map(({ net }) => net))];
  const shares = nets.map((net) => {
    const groups = groupTimes(found.layers, net);
    return (groups.depthwise ?? 0) / sum(Object.values(groups));
  });
  const macs = (net: string, group?: string): number =>
    sum(
      found.layers
        .filter((one) => one.net === net && (!group || layerGroup(one.counted) === group))
        .map(({ counted }) => counted.macs),
    );
  const [net] = nets as [string];
  return {
    kind: 'stack',
    name: 'kinds',
    title: `Depthwise layers do ${((100 * macs(net, 'depthwise')) / macs(net)).toFixed(0)} % of ${titleOf(net)}'s multiply-adds and take ${percent(shares[0]!)} of its time`,
    subtitle: 'single layers timed one by one on the wasm engine, one thread, and added up',
    axis: { title: 'time', unit: 'ms' },
    parts: LAYER_GROUPS,
    stacks: nets.map((one) => ({ label: titleOf(one), values: groupTimes(found.layers, one) })),
  };
}

/** A figure of lines has room for so many. */
const MOST_LINES = 7;
/** And for so many runtimes, two lines each. */
const MOST_SIDES = 3;

/** Latency by the number of branches, unfused and fused. */
export function branchLines({ first, main, forms: own }: Found, forms: readonly BranchTime[]): Lines {
  const last = own.at(-1)!;
  const sides = [...new Set(forms.map(({ side }) => side))].slice(0, MOST_SIDES);
  return {
    kind: 'lines',
    name: 'branches',
    title: `With k = ${last.k}, ${titleOf(first)} takes ${(last.mean / last.fused).toFixed(1)} times as long unfused as fused`,
    subtitle: `one image of 224 px; the number is that of ${main.title}`,
    x: { title: 'convolutions a block, k' },
    y: { title: 'latency', unit: 'ms', log: true },
    lines: sides.flatMap((side) => {
      const points = forms.filter((one) => one.side === side);
      return [
        {
          label: `${side.title}, branches`,
          points: positive(points.map(({ k, mean, interval }) => ({ x: k, y: mean, yInterval: interval }))),
          ...(side === main ? { emphasized: true } : {}),
        },
        { label: `${side.title}, fused`, points: points.map(({ k, fused }) => ({ x: k, y: fused })) },
      ];
    }),
  };
}
