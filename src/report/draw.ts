/** Vega-Lite specs to SVG. */
import type { TopLevelSpec } from 'vega-lite';
import { UserError } from '../core/errors.ts';

/** Loads Vega. Throws a UserError when it is missing, so that whoever has much to do before drawing can ask first. */
export async function loadVega(): Promise<readonly [vega: typeof import('vega'), lite: typeof import('vega-lite')]> {
  return await Promise.all([import('vega'), import('vega-lite')]).catch(() => {
    throw new UserError('Figures are drawn by Vega, which is not installed.', 'Install it: npm install vega vega-lite');
  });
}

/** Draws a spec as SVG, in Node or a browser, without a canvas. Throws a UserError when Vega is missing. */
export async function drawFigure(spec: TopLevelSpec): Promise<string> {
  const [vega, lite] = await loadVega();
  const { textMetrics } = vega as unknown as { textMetrics: { width: unknown; estimateWidth: unknown } };
  if (textMetrics.width === textMetrics.estimateWidth) {
    textMetrics.width = (item: TextItem, text: unknown) => textWidth(String(text ?? ''), item);
  }
  const view = new vega.View(vega.parse(lite.compile(spec).spec), { renderer: 'none', logLevel: vega.Error });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

interface TextItem {
  readonly fontSize?: number;
  readonly fontWeight?: number | string;
}

/** Width of text in pixels, near enough for a sans-serif font; Vega's own guess without a canvas is half too wide. */
export function textWidth(text: string, { fontSize = 11, fontWeight }: TextItem): number {
  const em = [...text].map((character) => {
    if (/[ijlI.,:;'|!()[\] ]/.test(character)) return 0.33;
    return /[mwMW→%]/.test(character) ? 0.87 : 0.58;
  });
  const bold = fontWeight === 'bold' || Number(fontWeight) >= 600 ? 1.12 : 1;
  return bold * fontSize * em.reduce((sum, width) => sum + width, 0);
}
