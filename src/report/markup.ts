/** Pieces of HTML that the sections of a report are made of. */
import { drawFigure } from './draw.ts';
import { withCssColors } from './palette.ts';
import { STYLE } from './style.ts';

/** A whole page, self-contained; empty sections are left out. `extra` is style beyond the common one. */
export function page(title: string, summary: string, sections: readonly string[], extra = ''): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${STYLE}${extra}</style>
</head>
<body>
<main>
<h1>${escapeHtml(title)}</h1>
<p class="summary">${escapeHtml(summary)}</p>
${sections.filter(Boolean).join('\n')}
</main>
</body>
</html>
`;
}

/** Makes text safe inside HTML and attributes. */
export function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

/** A part of the page under its own title. */
export const section = (title: string, ...body: readonly string[]): string =>
  `<section>\n<h2>${escapeHtml(title)}</h2>\n${body.join('\n')}\n</section>`;

/** A table whose cells stay on one line; it scrolls where the page is narrower. */
export const table = (columns: readonly string[], rows: readonly (readonly string[])[]): string => {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table><thead>${cells('th', columns)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table></div>`;
};

/** Base64 in Node and in browsers. */
function dataUri(bytes: Uint8Array, type: string): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return `data:image/${type};base64,${btoa(text)}`;
}

export const picture = (bytes: Uint8Array, alt: string, type: 'png' | 'jpeg' = 'png'): string =>
  `<img src="${dataUri(bytes, type)}" alt="${escapeHtml(alt)}">`;

/** The numbers to see first. */
export function tiles(headlines: readonly { readonly value: string; readonly text: string }[]): string {
  if (headlines.length === 0) return '';
  const items = headlines.map(
    ({ value, text }) => `<li><strong>${escapeHtml(value)}</strong><span>${escapeHtml(text)}</span></li>`,
  );
  return `<ul class="tiles">${items.join('')}</ul>`;
}

/** A figure that scales with the page and takes its colors; `alt` is its title for readers that don't see it. */
export async function figure(spec: Parameters<typeof drawFigure>[0], alt: string): Promise<string> {
  const svg = withCssColors(await drawFigure(spec)).replace(/ xmlns(:xlink)?="[^"]*"/g, '');
  const labeled = svg.replace('<svg ', `<svg role="img" aria-label="${escapeHtml(alt)}" `);
  const width = /width="(\d+)/.exec(svg)?.[1] ?? '480';
  return `<figure style="max-width:${width}px">${labeled}</figure>`;
}

/** A probability of 0 to 1 as text. */
export const percent = (probability: number): string => `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %`;
