/** A run's report as one HTML file: figures as inline SVG, pictures as data URIs, no script, nothing loaded from anywhere. */
import type { Device } from '../bench/device-node.ts';
import type { Measurement } from '../bench/measure.ts';
import type { Proof } from '../checkpoint/proof.ts';
import type { EpochMetrics } from '../core/events.ts';
import { confusionFigure, latencyFigure, milliseconds, shortRuntime } from './bars.ts';
import { accuracyFigure, type Baseline, lossFigure } from './curves.ts';
import { drawFigure } from './draw.ts';
import { withCssColors } from './palette.ts';
import { STYLE } from './style.ts';

/** A picture with what the model makes of it. */
export interface ExamplePrediction {
  /** PNG bytes. */
  readonly picture: Uint8Array;
  readonly label: string;
  /** Most probable first; probabilities 0 to 1. */
  readonly predictions: readonly { readonly name: string; readonly probability: number }[];
}

/** Two classes that are mistaken for one another, with a picture of each. */
export interface ConfusedPair {
  readonly label: string;
  readonly predicted: string;
  readonly value: number;
  /** PNG bytes: an image of the class that was mistaken, and one of the class it was taken for. */
  readonly pictures?: readonly [Uint8Array, Uint8Array];
}

/** What a report shows; sections without data are left out. */
export interface ReportData {
  readonly title: string;
  /** One or two sentences under the title. */
  readonly summary: string;
  /** The numbers to see first. */
  readonly headlines?: readonly { readonly value: string; readonly text: string }[];
  readonly epochs?: readonly EpochMetrics[];
  readonly baseline?: Baseline;
  readonly results?: { readonly columns: readonly string[]; readonly rows: readonly (readonly string[])[] };
  readonly examples?: readonly ExamplePrediction[];
  readonly confused?: { readonly unit: string; readonly pairs: readonly ConfusedPair[] };
  readonly proofs?: readonly { readonly name: string; readonly proof: Proof }[];
  readonly latency?: { readonly rows: readonly Measurement[]; readonly device: Device; readonly protocol: string };
  readonly recipe?: Readonly<Record<string, unknown>>;
  /** The command that repeats the run. */
  readonly command?: string;
  readonly notes?: readonly string[];
}

/** Renders the report. Throws a UserError when Vega is missing and there are figures to draw. */
export async function renderReport(data: ReportData): Promise<string> {
  const sections = [
    headlines(data),
    await curves(data),
    results(data),
    examples(data),
    await confused(data),
    proofs(data),
    await latency(data),
    recipe(data),
    notes(data),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(data.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>${escapeHtml(data.title)}</h1>
<p class="summary">${escapeHtml(data.summary)}</p>
${sections.filter(Boolean).join('\n')}
</main>
</body>
</html>
`;
}

/** Makes text safe inside HTML and attributes. */
function escapeHtml(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&#39;',
  };
  return text.replace(/[&<>"']/g, (character) => entities[character]!);
}

const section = (title: string, ...body: readonly string[]): string =>
  `<section>\n<h2>${escapeHtml(title)}</h2>\n${body.join('\n')}\n</section>`;

/** A table whose cells stay on one line; it scrolls where the page is narrower. */
const table = (columns: readonly string[], rows: readonly (readonly string[])[]): string => {
  const cells = (tag: string, row: readonly string[]): string =>
    `<tr>${row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`;
  return `<div class="scroll"><table><thead>${cells('th', columns)}</thead><tbody>${rows.map((row) => cells('td', row)).join('')}</tbody></table></div>`;
};

/** Base64 in Node and in browsers. */
function dataUri(png: Uint8Array): string {
  let text = '';
  for (let i = 0; i < png.length; i += 0x8000) text += String.fromCharCode(...png.subarray(i, i + 0x8000));
  return `data:image/png;base64,${btoa(text)}`;
}

const picture = (png: Uint8Array, alt: string): string => `<img src="${dataUri(png)}" alt="${escapeHtml(alt)}">`;

/** A figure that scales with the page and takes its colors; `alt` is its title for readers that don't see it. */
async function figure(spec: Parameters<typeof drawFigure>[0], alt: string): Promise<string> {
  const svg = withCssColors(await drawFigure(spec)).replace(/ xmlns(:xlink)?="[^"]*"/g, '');
  const labeled = svg.replace('<svg ', `<svg role="img" aria-label="${escapeHtml(alt)}" `);
  const width = /width="(\d+)/.exec(svg)?.[1] ?? '480';
  return `<figure style="max-width:${width}px">${labeled}</figure>`;
}

function headlines({ headlines = [] }: ReportData): string {
  if (headlines.length === 0) return '';
  const tiles = headlines.map(
    ({ value, text }) => `<li><strong>${escapeHtml(value)}</strong><span>${escapeHtml(text)}</span></li>`,
  );
  return `<ul class="tiles">${tiles.join('')}</ul>`;
}

async function curves({ epochs = [], baseline }: ReportData): Promise<string> {
  if (epochs.length < 2) return '';
  const drawn = [
    await figure(accuracyFigure(epochs, baseline), 'validation accuracy over epochs'),
    await figure(lossFigure(epochs), 'loss over epochs'),
  ];
  return section('Training', `<div class="figures">${drawn.join('')}</div>`);
}

function results({ results }: ReportData): string {
  return results ? section('Results', table(results.columns, results.rows)) : '';
}

const percent = (probability: number): string => `${(100 * probability).toFixed(probability < 0.1 ? 1 : 0)} %`;

function examples({ examples = [] }: ReportData): string {
  if (examples.length === 0) return '';
  const cards = examples.map(({ picture: png, label, predictions }) => {
    const right = predictions[0]?.name === label;
    const bars = predictions.map(
      ({ name, probability }) =>
        `<li${name === label ? ' class="right"' : ''}><span class="bar" style="width:${(100 * probability).toFixed(1)}%"></span><span class="name">${escapeHtml(name)}</span><span class="share">${percent(probability)}</span></li>`,
    );
    const verdict = right ? '<span class="good">✓</span>' : '<span class="bad">✗</span>';
    return `<li class="card">${picture(png, label)}<div><b>${verdict} ${escapeHtml(label)}</b><ol>${bars.join('')}</ol></div></li>`;
  });
  return section(
    'Example predictions',
    '<p>Images that training never saw, with the most probable answers; the true name is in bold.</p>',
    `<ul class="cards">${cards.join('')}</ul>`,
  );
}

async function confused({ confused }: ReportData): Promise<string> {
  if (!confused || confused.pairs.length === 0) return '';
  const { pairs, unit } = confused;
  const pictured = pairs.flatMap(({ label, predicted, pictures }) =>
    pictures
      ? `<li>${picture(pictures[0], label)}<span class="arrow">→</span>${picture(pictures[1], predicted)}<span class="caption">${escapeHtml(label)} → ${escapeHtml(predicted)}</span></li>`
      : [],
  );
  return section(
    'Most confused pairs',
    ...(pictured.length > 0
      ? [
          '<p>Left: the image that was mistaken. Right: an image of the class it was taken for.</p>',
          `<ul class="pairs">${pictured.join('')}</ul>`,
        ]
      : []),
    await figure(confusionFigure(pairs, unit), 'most confused pairs'),
  );
}

function proofs({ proofs = [] }: ReportData): string {
  if (proofs.length === 0) return '';
  const rows = proofs.map(({ name, proof }) => [
    name,
    proof.passed ? '✓ the same' : '✗ not the same',
    String(proof.images),
    `${proof.top1Agreement.toFixed(proof.top1Agreement === 100 ? 0 : 2)} %`,
    `${proof.relativeDifference.toExponential(1)} (bound ${proof.bound.toExponential(0)})`,
  ]);
  return section(
    'Proof',
    '<p>Each check ran both sides on real images and compared every logit; differences are relative to the largest logit.</p>',
    table(['check', 'verdict', 'images', 'first class agrees', 'largest difference'], rows),
    `<p class="small">Ran on: ${escapeHtml([...new Set(proofs.map(({ proof }) => proof.engine))].join('; '))}.</p>`,
  );
}

async function latency({ latency }: ReportData): Promise<string> {
  if (!latency || latency.rows.length === 0) return '';
  const { rows, device, protocol } = latency;
  const cells = rows.map((row) => [
    shortRuntime(row.runtime),
    row.name,
    String(row.threads),
    milliseconds(row.mean),
    `${milliseconds(row.interval[0])}–${milliseconds(row.interval[1])}`,
    milliseconds(row.minimum),
    milliseconds(row.median),
    milliseconds(row.firstRun),
    milliseconds(row.coldStart),
  ]);
  const runtimes = [...new Set(rows.map(({ runtime }) => runtime))].join('; ');
  return section(
    'Latency',
    await figure(latencyFigure(rows), 'latency'),
    table(
      ['runtime', 'form', 'threads', 'mean ms', '95 % interval', 'minimum', 'median', 'first run', 'cold start'],
      cells,
    ),
    `<p class="small">${escapeHtml(`${protocol} (protocol ${rows[0]!.protocol}). ${device.cpu}, ${device.cores} cores, ${device.system}, Node ${device.node}, V8 ${device.v8}; fingerprint ${device.fingerprint}. Runtimes: ${runtimes}.`)}</p>`,
  );
}

function recipe({ recipe, command }: ReportData): string {
  if (!recipe && !command) return '';
  const rows = Object.entries(recipe ?? {}).map(([name, value]) => [
    name,
    typeof value === 'string' ? value : JSON.stringify(value),
  ]);
  return section(
    'Repeat it',
    ...(command ? [`<pre><code>${escapeHtml(command)}</code></pre>`] : []),
    ...(rows.length > 0
      ? [`<details><summary>The recipe, every field</summary>${table(['field', 'value'], rows)}</details>`]
      : []),
  );
}

function notes({ notes = [] }: ReportData): string {
  if (notes.length === 0) return '';
  return section('Notes', `<ul>${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('')}</ul>`);
}
