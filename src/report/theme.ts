/** What all figures share: size, colors, fonts, titles. */
import type { TopLevelSpec } from 'vega-lite';
import { color } from './palette.ts';

/** Drawing width in pixels: small enough to stay readable on a phone. */
export const WIDTH: number = 400;
/** Height of line charts. */
export const HEIGHT: number = 230;

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
/** Axes, titles and fonts. */
export const CONFIG: NonNullable<TopLevelSpec['config']> = {
  background: 'transparent',
  font: FONT,
  view: { stroke: null },
  title: {
    color: color('ink'),
    fontSize: 14,
    fontWeight: 600,
    subtitleColor: color('muted'),
    subtitleFontSize: 12,
    offset: 14,
  },
  axis: {
    labelColor: color('muted'),
    titleColor: color('muted'),
    gridColor: color('grid'),
    domainColor: color('grid'),
    tickColor: color('grid'),
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 400,
  },
};

/** A title and what to know about it, broken into lines that fit a figure of a width in pixels. */
export function titled(
  title: string,
  subtitle?: string,
  width: number = WIDTH,
): { text: string[]; subtitle?: string[]; anchor: 'start'; frame: 'bounds' } {
  return {
    text: wrap(title, (58 / WIDTH) * width),
    ...(subtitle ? { subtitle: wrap(subtitle, (68 / WIDTH) * width) } : {}),
    anchor: 'start',
    frame: 'bounds',
  };
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1)!;
    if (line && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines;
}
