/** Figures as data: what is to be shown, not how it is drawn. One kind, one drawing in `src/report/study/`. */

export interface Axis {
  readonly title: string;
  /** Written behind the title in brackets. */
  readonly unit?: string;
  readonly log?: true;
}

interface FigureHead {
  /** Stem of its files, unique among figures and tables of the study. */
  readonly name: string;
  /** The finding, in a sentence computed from the data. */
  readonly title: string;
  /** What is shown, on what: runtime, threads, machine. */
  readonly subtitle?: string;
}

export type Interval = readonly [low: number, high: number];

export interface ScatterPoint {
  readonly label: string;
  readonly x: number;
  readonly y: number;
  /** 95 % intervals, drawn where they are wider than the point. */
  readonly xInterval?: Interval;
  readonly yInterval?: Interval;
  /** Points of a family share a color and a line in the legend. */
  readonly family?: string;
  /** Drawn larger, always labeled; what the paper is about (MobileOne). */
  readonly emphasized?: boolean;
}

/** Points with names. */
export interface Scatter extends FigureHead {
  readonly kind: 'scatter';
  readonly x: Axis;
  readonly y: Axis;
  readonly points: readonly ScatterPoint[];
  /** Draws the Pareto front: points for which none has less of x and more of y. */
  readonly frontier?: true;
  /** Draws a straight line (by least squares, in the logarithm of a logarithmic axis). */
  readonly trend?: true;
}

export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly interval?: Interval;
  /** What the paper has, drawn as a tick. */
  readonly reference?: number;
  /** Written at the end instead of the value. */
  readonly text?: string;
  readonly emphasized?: boolean;
}

/** Bars from top to bottom in the given order. */
export interface Bars extends FigureHead {
  readonly kind: 'bars';
  readonly axis: Axis;
  readonly bars: readonly Bar[];
  /** What the ticks are, for the legend, e.g. `paper, iPhone 12`. */
  readonly referenceName?: string;
}

/** Bars that consist of parts, from top to bottom in the given order. */
export interface Stack extends FigureHead {
  readonly kind: 'stack';
  readonly axis: Axis;
  /** Names of the parts, from left to right; at most seven. */
  readonly parts: readonly string[];
  readonly stacks: readonly { readonly label: string; readonly values: Readonly<Record<string, number>> }[];
}

export interface LinePoint {
  readonly x: number;
  readonly y: number;
  readonly yInterval?: Interval;
  /** Written beside the point. */
  readonly label?: string;
}

/** Lines with their names at their ends. */
export interface Lines extends FigureHead {
  readonly kind: 'lines';
  readonly x: Axis;
  readonly y: Axis;
  /** At most seven. */
  readonly lines: readonly {
    readonly label: string;
    readonly points: readonly LinePoint[];
    readonly emphasized?: boolean;
  }[];
}

export type Figure = Scatter | Bars | Stack | Lines;
export type FigureKind = Figure['kind'];
