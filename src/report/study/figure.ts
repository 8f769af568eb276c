/** Figures of studies as Vega-Lite specs: one table by kind. */
import type { TopLevelSpec } from 'vega-lite';
import type { Figure, FigureKind } from '../../studies/figures.ts';
import { barsSpec, stackSpec } from './bars.ts';
import { linesSpec } from './lines.ts';
import { scatterSpec } from './scatter.ts';

type Drawings = { readonly [kind in FigureKind]: (figure: Extract<Figure, { kind: kind }>) => TopLevelSpec };

const DRAWINGS: Drawings = { scatter: scatterSpec, bars: barsSpec, stack: stackSpec, lines: linesSpec };

/** The spec of a figure. */
export function figureSpec(figure: Figure): TopLevelSpec {
  return (DRAWINGS[figure.kind] as (one: Figure) => TopLevelSpec)(figure);
}
