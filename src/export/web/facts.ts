/** What the page tells about its model. */
import type { ModelDescription } from '../../embed/model.ts';

/** `model.json`: what is known about the model, and which file it is. */
export interface WebDescription extends ModelDescription {
  readonly layout: 1;
  /** Path of the model file, beside this one. */
  readonly model: string;
  /** Bytes of the model file. */
  readonly bytes: number;
  /** sha256 of the model file and of the weights as they were before they were stored, in hexadecimal. */
  readonly sha256: { readonly file: string; readonly weights: string };
  readonly precision: 'fp32' | 'fp16';
  /** Largest logit difference from the original model allowed, relative to the largest absolute logit. */
  readonly bound: number;
}

/** Metrics that mean something to a visitor, in percent. */
const MEASURES: Readonly<Record<string, string>> = {
  valTop1: 'top-1',
  valTop5: 'top-5',
  valMap: 'mean average precision',
};

function* factsOf(description: WebDescription, runtime: string): Generator<readonly [string, string]> {
  const { name, parameters, bytes, precision, classes, multiLabel, preprocessing, metrics, proof, info } = description;
  yield ['Model', `${name}, ${(parameters / 1e6).toFixed(2)} million parameters, fused`];
  yield ['File', `${(bytes / 1e6).toFixed(2)} MB, weights in ${precision}`];
  yield ['Input', `${preprocessing.size} × ${preprocessing.size} pixels, the center of the image`];
  const few = classes.length > 20 ? `${classes.slice(0, 20).join(', ')} …` : classes.join(', ');
  yield ['Classes', `${classes.length}${multiLabel ? ', several may hold' : ''}: ${few}`];
  const measured = Object.entries(MEASURES).flatMap(([key, name]) =>
    metrics[key] === undefined ? [] : [`${name} ${metrics[key].toFixed(1)} %`],
  );
  if (measured.length > 0) yield ['Measured', measured.join(', ')];
  if (proof)
    yield [
      'Proof',
      `on ${proof.images} real images the fused form gave the trained one’s logits up to ${proof.relativeDifference.toExponential(1)} of the largest`,
    ];
  yield [
    'License',
    info.license ?? 'not stated; what the weights may be used for depends on the images they were trained on',
  ];
  yield ['Made with', info.created_with ?? 'an unknown version'];
  yield ['Runs on', runtime];
  yield ['sha256', description.sha256.file];
}

/** Fills a `<dl>`. */
export function showFacts(list: HTMLElement, description: WebDescription, runtime: string): void {
  list.replaceChildren(
    ...[...factsOf(description, runtime)].flatMap(([term, text]) => {
      const [name, value] = [document.createElement('dt'), document.createElement('dd')];
      name.textContent = term;
      value.textContent = text;
      return [name, value];
    }),
  );
}
