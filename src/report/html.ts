/** A run's report as one HTML file: figures as inline SVG, pictures as data URIs, no script, nothing loaded from anywhere. */
import type { Device } from '../bench/device-node.ts';
import type { Measurement } from '../bench/measure.ts';
import type { Proof } from '../checkpoint/proof.ts';
import type { EpochMetrics } from '../core/events.ts';
import { confusionFigure, latencyFigure, milliseconds, shortRuntime } from './bars.ts';
import { accuracyFigure, type Baseline, lossFigure } from './curves.ts';
import { escapeHtml, figure, page, percent, picture, section, table, tiles } from './markup.ts';
import {
  type Calibrated,
  type ClassAccuracy,
  type ClassMeasure,
  calibration,
  classes,
  type Fed,
  fed,
} from './model-sections.ts';

/** A picture with what the model makes of it. */
export interface ExamplePrediction {
  /** PNG bytes. */
  readonly picture: Uint8Array;
  readonly label: string;
  /** All labels, where an image may have several (or none). */
  readonly labels?: readonly string[];
  /** Which image it is. */
  readonly name?: string;
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

/** A file that was exported. */
export interface ExportedPart {
  readonly name: string;
  /** The format as its makers write it. */
  readonly title: string;
  readonly precision: string;
  readonly bytes: number;
  /** How it was checked, or why not. */
  readonly check: string;
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
  readonly calibration?: Calibrated;
  readonly classes?: readonly ClassAccuracy[];
  /** What `classes` are measured by; default: accuracy. */
  readonly classMeasure?: ClassMeasure;
  /** Training images as the network was fed them. */
  readonly fed?: Fed;
  readonly proofs?: readonly { readonly name: string; readonly proof: Proof }[];
  /** What was exported, a file (or folder) each. */
  readonly exports?: readonly ExportedPart[];
  readonly latency?: { readonly rows: readonly Measurement[]; readonly device: Device; readonly protocol: string };
  readonly recipe?: Readonly<Record<string, unknown>>;
  /** Where values of the recipe come from, those that are defaults left out. */
  readonly origins?: Readonly<Record<string, string>>;
  /** The command that repeats the run. */
  readonly command?: string;
  /** What it ran on: versions, seed, threads; name and value. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly notes?: readonly string[];
}

/** Renders the report. Throws a UserError when Vega is missing and there are figures to draw. */
export async function renderReport(data: ReportData): Promise<string> {
  const sections = [
    tiles(data.headlines ?? []),
    await curves(data),
    fed(data.fed),
    results(data),
    examples(data),
    classes(data.classes, data.classMeasure),
    await confused(data),
    await calibration(data.calibration),
    proofs(data),
    exported(data),
    await latency(data),
    recipe(data),
    notes(data),
  ];
  return page(data.title, data.summary, sections);
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

/** Whether the first answer is the label; of several, whether those above 50 % are the labels. */
function isRight({ label, labels, predictions }: ExamplePrediction): boolean {
  if (!labels) return predictions[0]?.name === label;
  const found = predictions.filter(({ probability }) => probability > 0.5);
  return found.length === labels.length && found.every(({ name }) => labels.includes(name));
}

function examples({ examples = [] }: ReportData): string {
  if (examples.length === 0) return '';
  const cards = examples.map((example) => {
    const { picture: png, label, labels = [label], name: source, predictions } = example;
    const right = isRight(example);
    const bars = predictions.map(
      ({ name, probability }) =>
        `<li${labels.includes(name) ? ' class="right"' : ''}><span class="bar" style="width:${(100 * probability).toFixed(1)}%"></span><span class="name">${escapeHtml(name)}</span><span class="share">${percent(probability)}</span></li>`,
    );
    const verdict = right ? '<span class="good">✓</span>' : '<span class="bad">✗</span>';
    const where = source === undefined ? '' : `<p class="small">${escapeHtml(source)}</p>`;
    return `<li class="card">${picture(png, label)}<div><b>${verdict} ${escapeHtml(label)}</b><ol>${bars.join('')}</ol>${where}</div></li>`;
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
    `${proof.images}${proof.generated ? ' generated' : ''}`,
    `${proof.top1Agreement.toFixed(proof.top1Agreement === 100 ? 0 : 2)} %`,
    `${proof.relativeDifference.toExponential(1)} (bound ${proof.bound.toExponential(0)})`,
  ]);
  return section(
    'Proof',
    `<p>Each check ran both sides on ${proofs.some(({ proof }) => proof.generated) ? 'images (generated ones where it says so)' : 'real images'} and compared every logit; differences are relative to the largest logit.</p>`,
    table(['check', 'verdict', 'images', 'first class agrees', 'largest difference'], rows),
    `<p class="small">Ran on: ${escapeHtml([...new Set(proofs.map(({ proof }) => proof.engine))].join('; '))}.</p>`,
  );
}

function exported({ exports = [] }: ReportData): string {
  if (exports.length === 0) return '';
  const rows = exports.map(({ name, title, precision, bytes, check }) => [
    name,
    `${title}, ${precision}`,
    `${(bytes / 1e6).toFixed(2)} MB`,
    check,
  ]);
  return section('Exported files', table(['file', 'format', 'size', 'checked on'], rows));
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

function recipe({ recipe = {}, origins, command, environment = {} }: ReportData): string {
  const text = (value: unknown): string =>
    typeof value === 'string' ? value : value === null ? 'auto' : JSON.stringify(value);
  const row = ([name, value]: [string, unknown]): string[] =>
    origins ? [name, text(value), origins[name] ?? 'default'] : [name, text(value)];
  const columns = origins ? ['field', 'value', 'from'] : ['field', 'value'];
  const fields = Object.entries(recipe);
  const chosen = fields.filter(([name]) => origins?.[name] !== undefined);
  const facts = Object.entries(environment);
  if (fields.length === 0 && !command) return '';
  return section(
    'Repeat it',
    ...(command ? [`<pre><code>${escapeHtml(command)}</code></pre>`] : []),
    ...(facts.length > 0
      ? [
          `<p class="small">${facts.map(([name, value]) => `${escapeHtml(name)} <b>${escapeHtml(value)}</b>`).join(' · ')}</p>`,
        ]
      : []),
    ...(chosen.length > 0 ? [`<h3>What differs from the defaults</h3>`, table(columns, chosen.map(row))] : []),
    ...(fields.length > 0
      ? [`<details><summary>The recipe, every field</summary>${table(columns, fields.map(row))}</details>`]
      : []),
  );
}

function notes({ notes = [] }: ReportData): string {
  if (notes.length === 0) return '';
  return section('Notes', `<ul>${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('')}</ul>`);
}
