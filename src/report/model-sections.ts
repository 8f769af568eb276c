/** Sections of a report on what a model can do: what it was fed, each class, and whether its probabilities hold. */
import type { Calibration } from '../evaluate/calibration.ts';
import { escapeHtml, figure, picture, section, table } from './markup.ts';
import { reliabilityFigure } from './reliability.ts';

export interface ClassAccuracy {
  readonly name: string;
  /** Percent right; where images may have several labels, average precision. */
  readonly accuracy: number;
  /** Images that have the class. */
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
  /** Images may have several labels: each class of each image is an answer. */
  readonly multiLabel?: true | undefined;
}

/** What the classes are measured by. */
export type ClassMeasure = 'accuracy' | 'average precision';

const MEASURES: Readonly<Record<ClassMeasure, { readonly title: string; readonly text: string }>> = {
  accuracy: {
    title: 'Accuracy of each class',
    text: 'Share of the validation images of each class that are named rightly, the worst first.',
  },
  'average precision': {
    title: 'Average precision of each class',
    text: 'How far up the images with a class come when all validation images are sorted by its probability, the worst first; 100 %: before all others.',
  },
};

/** Up to so many classes are all shown; of more, the worst, and the rest to unfold. */
const SHOWN = 20;

/** A grid of what training saw. */
export function fed(data: Fed | undefined): string {
  if (!data || data.images.length === 0) return '';
  const items = data.images.map(({ png, label }) => `<li>${picture(png, label)}${escapeHtml(label)}</li>`);
  return section('What training sees', `<p>${escapeHtml(data.text)}</p>`, `<ul class="fed">${items.join('')}</ul>`);
}

/** Accuracy or average precision of every class as bars, the worst first. */
export function classes(all: readonly ClassAccuracy[] | undefined, measure: ClassMeasure = 'accuracy'): string {
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
    MEASURES[measure].title,
    `<p>${MEASURES[measure].text}</p>`,
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
    `<p>If they can, of the ${data.multiLabel ? 'classes given 80 % four in five are there' : 'answers given with 80 % four in five are right'}. The expected calibration error (ECE, ${data.bins.length} bins) is ${data.ece.toFixed(1)} percentage points on ${data.images} images${data.multiLabel ? ', over every class of each' : ''}.</p>`,
    await figure(reliabilityFigure(data, data.multiLabel), 'reliability diagram'),
    `<details><summary>The numbers</summary>${table(['probability', data.multiLabel ? 'classes of images' : 'images', 'mean probability', data.multiLabel ? 'there' : 'right'], rows)}</details>`,
  );
}
