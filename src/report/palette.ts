/** Colors of figures and pages: each has a light and a dark value; figures are drawn in the light ones. */
export const PALETTE = {
  ink: { light: '#1f2328', dark: '#e6edf3' },
  muted: { light: '#59636e', dark: '#9198a1' },
  grid: { light: '#d1d9e0', dark: '#3d444d' },
  paper: { light: '#ffffff', dark: '#0d1117' },
  card: { light: '#f6f8fa', dark: '#151b23' },
  first: { light: '#0969da', dark: '#4493f8' },
  second: { light: '#bc4c00', dark: '#f0883e' },
  third: { light: '#8250df', dark: '#ab7df8' },
  fourth: { light: '#1b7c83', dark: '#39c5cf' },
  fifth: { light: '#bf3989', dark: '#db61a2' },
  good: { light: '#1a7f37', dark: '#3fb950' },
  bad: { light: '#cf222e', dark: '#f85149' },
} as const;

export type ColorName = keyof typeof PALETTE;

/** The light value of a color, for figures. */
export function color(name: ColorName): string {
  return PALETTE[name].light;
}

/** CSS variables `--ink` … for one scheme. */
export function paletteCss(scheme: 'light' | 'dark'): string {
  return Object.entries(PALETTE)
    .map(([name, values]) => `--${name}:${values[scheme]}`)
    .join(';');
}

/** Makes a figure's colors follow the page: every light value becomes its CSS variable. */
export function withCssColors(svg: string): string {
  return Object.entries(PALETTE).reduce(
    (text, [name, { light }]) => text.replaceAll(`"${light}"`, `"var(--${name})"`),
    svg,
  );
}
