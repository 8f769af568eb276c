/** Axes of studies' figures: domains with room at their ends, ticks, and the way from values to pixels and back. */
import type { Axis } from '../../studies/figures.ts';

export interface Scale {
  readonly domain: readonly [number, number];
  readonly ticks: readonly number[];
  /** From a value to a part of the axis, 0 to 1, and back. */
  at(value: number): number;
  invert(part: number): number;
  /** The value, or the end of the axis that it is beyond. */
  clip(value: number): number;
  /** For Vega-Lite: `scale` and `axis` of an encoding. */
  readonly encoding: { readonly scale: object; readonly axis: object };
}

const label = ({ title, unit }: Axis): string => (unit ? `${title} (${unit})` : title);

/** Room at either end, as a part of the axis. */
const ROOM = 0.06;
/** Ends of intervals so many times beyond all values are cut off by a logarithmic axis. */
const FAR = 2;
/** Ticks nearer to each other, as a part of the axis, would run into each other. */
const CLEAR = 0.07;
/** More ticks would crowd a narrow figure. */
const MOST_TICKS = 7;

export interface ScaleOptions {
  /** Begins a linear axis at zero. */
  readonly zero?: boolean;
  readonly grid?: boolean;
  /** Ends of intervals. */
  readonly ends?: readonly number[];
  /** Ticks where they are not too close to each other; default: round numbers. */
  readonly ticks?: readonly number[];
}

/**
 * A scale that shows all values, and ends of intervals as far as they are not far beyond them. On a logarithmic axis values must be above
 * zero (else a RangeError); ends of intervals need not.
 */
export function scaleFor(
  axis: Axis,
  values: readonly number[],
  { zero = false, grid = true, ticks: own = [], ends = [] }: ScaleOptions = {},
): Scale {
  const [to, from] = axis.log
    ? [Math.log10, (value: number) => 10 ** value]
    : [(value: number) => value, (value: number) => value];
  if (axis.log && !values.every((value) => value > 0))
    throw new RangeError(`"${axis.title}" is a logarithmic axis, and has values that are not above zero`);
  const near = ends.filter((end) => !axis.log || (end > Math.min(...values) / FAR && end < Math.max(...values) * FAR));
  const [least, most] = [Math.min(...values, ...near), Math.max(...values, ...near)];
  const [low, high] = [
    to(zero && !axis.log ? Math.min(0, least) : least),
    to(zero && !axis.log ? Math.max(0, most) : most),
  ];
  const span = high - low || Math.abs(high) || 1;
  const start = zero && !axis.log && least >= 0 ? low : low - ROOM * span;
  const end = zero && !axis.log && most <= 0 ? high : high + ROOM * span;
  const domain = [from(start), from(end)] as const;
  const at = (value: number): number => (to(value) - start) / (end - start);
  const clear = own.length > 1 && own.every((tick, i) => i === 0 || at(tick) - at(own[i - 1]!) > CLEAR);
  const ticks = clear ? own : axis.log ? logTicks(domain) : linearTicks(domain);
  return {
    domain,
    ticks,
    at,
    clip: (value) => Math.max(domain[0], Math.min(domain[1], value)),
    invert: (part) => from(start + part * (end - start)),
    encoding: {
      scale: { type: axis.log ? 'log' : 'linear', domain, nice: false, ...(axis.log ? {} : { zero: false }) },
      axis: { title: label(axis), values: ticks, grid, labelExpr: "format(datum.value, ',.6~r')", labelOverlap: false },
    },
  };
}

/** 1, 2, 5, 10 … in the domain, or fewer of them where there would be too many. */
function logTicks([low, high]: readonly [number, number]): number[] {
  for (const steps of [[1, 2, 5], [1, 3], [1]]) {
    const ticks: number[] = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      for (const step of steps) ticks.push(Number((step * 10 ** power).toPrecision(12)));
    const inside = ticks.filter((tick) => tick >= low && tick <= high);
    if (inside.length <= MOST_TICKS) return inside.length >= 2 ? inside : linearTicks([low, high]);
  }
  return linearTicks([low, high]);
}

/** Round numbers in the domain, four to seven. */
function linearTicks([low, high]: readonly [number, number]): number[] {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!;
  const first = Math.ceil(low / step);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}
