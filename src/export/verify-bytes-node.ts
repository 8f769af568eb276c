/** The files of a bundle against what was written of them, and what its parts say of each other. */
import { isDeepStrictEqual } from 'node:util';
import type { Proof } from '../checkpoint/proof.ts';
import type { Card } from './card.ts';
import { factsOf, parseSums } from './checksums.ts';
import { answerOf, type Golden } from './golden.ts';
import { listFiles, OUTSIDE_THE_CARD, readInside } from './open-bundle-node.ts';
import type { PreprocessingDescription } from './preprocessing.ts';

export type Verdict = 'ok' | 'failed' | 'not checked';

/** One check of one file. */
export interface Finding {
  readonly path: string;
  /** `bytes`: as they were written. `contents`: what a part says, against the others. `run`: what a file computes. */
  readonly check: 'bytes' | 'contents' | 'run' | 'more images';
  readonly verdict: Verdict;
  readonly text: string;
  readonly bytes?: number;
  readonly sha256?: string;
  readonly proof?: Proof;
}

/** Sizes and hashes of every file against the card and the list of hashes; what is whole is kept. */
export async function checkBytes(folder: string, card: Card, kept: Map<string, Uint8Array>): Promise<Finding[]> {
  const findings: Finding[] = [];
  const found = (path: string, verdict: Verdict, text: string, more: Partial<Finding> = {}): void => {
    findings.push({ path, check: 'bytes', verdict, text, ...more });
  };
  const list = await readInside(folder, 'SHA256SUMS');
  const sums = list && parseSums(new TextDecoder().decode(list));
  if (!sums) found('SHA256SUMS', 'failed', list ? 'is not a list of hashes' : 'is missing');
  const paths = [...Object.keys(card.files), ...OUTSIDE_THE_CARD.filter((path) => path !== 'SHA256SUMS')];
  for (const path of paths) {
    const expected = card.files[path];
    const bytes = await readInside(folder, path);
    if (!bytes) {
      found(path, 'failed', 'is missing');
      continue;
    }
    const { [path]: facts } = await factsOf([[path, bytes]]);
    const { sha256 } = facts!;
    const wrong =
      expected && expected.bytes !== bytes.length
        ? `has ${bytes.length} bytes, was written with ${expected.bytes}`
        : expected && expected.sha256 !== sha256
          ? 'was changed: its hash is not that of the card'
          : sums && sums.get(path) !== sha256
            ? 'was changed, or SHA256SUMS was: its hash is not listed there'
            : undefined;
    if (!wrong) kept.set(path, bytes);
    found(path, wrong ? 'failed' : 'ok', wrong ?? 'unchanged', { bytes: bytes.length, sha256 });
  }
  const known = new Set([...paths, 'SHA256SUMS']);
  for (const path of [...(sums?.keys() ?? [])].filter((one) => !known.has(one)))
    found(path, 'failed', 'is in SHA256SUMS and not in the card');
  for (const path of (await listFiles(folder)).filter((one) => !known.has(one)).slice(0, 100))
    found(path, 'not checked', 'does not belong to the bundle');
  return findings;
}

/** What parts of a bundle say of each other. */
export function checkContents(
  card: Card,
  { golden, how, proof }: { golden: Golden; how: PreprocessingDescription; proof: unknown },
  files: ReadonlyMap<string, Uint8Array>,
): Finding[] {
  const labels = new TextDecoder().decode(files.get('labels.txt')!).replace(/\n$/, '').split('\n');
  const several = card.task === 'multi_label_classification';
  const wrongAnswer = golden.images.find(
    ({ label, labels: given, logits }) =>
      !isDeepStrictEqual(
        { label, labels: given },
        { label: undefined, labels: undefined, ...answerOf(logits, labels, several) },
      ),
  );
  const problems: readonly (readonly [path: string, problem: string | false])[] = [
    ['labels.txt', labels.length !== card.classes && `names ${labels.length} classes, the card ${card.classes}`],
    [
      'golden.json',
      golden.images.length !== card.golden.images
        ? `has ${golden.images.length} images, the card says ${card.golden.images}`
        : golden.images.length === 0
          ? 'has no image to check anything on'
          : wrongAnswer !== undefined && `${wrongAnswer.file} has another answer than its logits`,
    ],
    ['proof.json', !isDeepStrictEqual(proof, card.proof) && 'says other than the card'],
    [
      'preprocessing.json',
      (how.crop !== card.size || !card.exports.every(({ main }) => how.inputs[main])) && 'says other than the card',
    ],
  ];
  return problems.map(([path, problem]) => ({
    path,
    check: 'contents',
    verdict: problem ? 'failed' : 'ok',
    text: problem || 'agrees with the card',
  }));
}
