/** Sections of a report on what a model can do: what it was fed, each class, and whether its probabilities hold. */
import type { Calibration } from '../evaluate/calibration.ts';
import { escapeHtml, figure, picture, section, table } from './markup.ts';
import { reliabilityFigure } from './reliability.ts';

export interface ClassAccuracy {
  readonly name: string;
  /** Percent right. */
  readonly accuracy: number;
  readonly images: number;
}

/** Images as the network was fed them, augmented. */
export interface Fed {
  readonly images: readonly { readonly png: Uint8Array; readonly label: string }[];
  /** Where they are from, in a sentence. */
  readonly text: string;
}

/** How far probabilities hold, and on how many images that was measured. */
export interface Calibrated extends Calibration {
  readonly images: number;
}

/** Up to so many classes are all shown; of more, the worst, and the rest to unfold. */
const SHOWN = 20;

/** A grid of what training saw. */
export function fed(data: Fed | undefined): string {
  if (!data || data.images.length === 0) return '';
  const items = data.images.map(({ png, label }) => `<li>${picture(png, label)}${escapeHtml(label)}</li>`);
  return section('What training sees', `<p>${escapeHtml(data.text)}</p>`, `<ul class="fed">${items.join('')}</ul>`);
}

/** Accuracy of every class as bars, the worst first. */
export function classes(all: readonly ClassAccuracy[] | undefined): string {
  if (!all || all.length === 0) return '';
  const sorted = all.toSorted((a, b) => a.accuracy - b.accuracy || b.images - a.images);
  const rows = sorted.map(
    ({ name, accuracy, images }) =>
      `<tr><td title="${escapeHtml(name)}">${escapeHtml(name)}</td><td class="track"><div style="width:${accuracy.toFixed(1)}%"></div></td><td class="number">${accuracy.toFixed(1)} %</td><td class="number">of ${images}</td></tr>`,
  );
  const bars = (some: readonly string[]): string =>
    `<div class="scroll"><table class="classes"><tbody>${some.join('')}</tbody></table></div>`;
  const rest = rows.slice(SHOWN);
  return section(
    'Accuracy of each class',
    `<p>Share of the validation images of each class that are named rightly, the worst first.</p>`,
    bars(rows.slice(0, SHOWN)),
    ...(rest.length > 0 ? [`<details><summary>${rest.length} more</summary>${bars(rest)}</details>`] : []),
  );
}

/** The reliability diagram with its numbers to unfold. */
export async function calibration(data: Calibrated | undefined): Promise<string> {
  if (!data || data.images === 0) return '';
  const rows = data.bins
    .filter(({ count }) => count > 0)
    .map(({ from, to, count, confidence, accuracy }) => [
      `${(100 * from).toFixed(0)}–${(100 * to).toFixed(0)} %`,
      String(count),
      `${(100 * confidence).toFixed(1)} %`,
      `${(100 * accuracy).toFixed(1)} %`,
    ]);
  return section(
    'Can its probabilities be believed?',
    `<p>If they can, of the answers given with 80 % four in five are right. The expected calibration error (ECE, ${data.bins.length} bins) is ${data.ece.toFixed(1)} percentage points on ${data.images} images.</p>`,
    await figure(reliabilityFigure(data), 'reliability diagram'),
    `<details><summary>The numbers</summary>${table(['probability', 'images', 'mean probability', 'right'], rows)}</details>`,
  );
}
