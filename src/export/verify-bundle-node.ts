/** Repeats every check of a bundle: bytes, what its parts say of each other, and what its files compute. */
import { settleFolder } from '../checkpoint/write-folder-node.ts';
import { UserError } from '../core/errors.ts';
import type { Tensor } from '../core/tensor.ts';
import { decodeImage } from '../images/decode-node.ts';
import type { ProofBatch } from '../reparam/prove.ts';
import type { Card, CardExport } from './card.ts';
import type { Golden } from './golden.ts';
import { hostile, NEEDED, readCard, readGolden, readJson, readPreprocessing } from './open-bundle-node.ts';
import type { PreprocessingDescription } from './preprocessing.ts';
import { checkBytes, checkContents, type Finding } from './verify-bytes-node.ts';
import { type Running, runGolden, runMore } from './verify-runs-node.ts';

export type { Finding, Verdict } from './verify-bytes-node.ts';

export interface Verification {
  readonly card: Card;
  readonly findings: readonly Finding[];
  /** Nothing failed. */
  readonly passed: boolean;
}

export interface VerifyBundleOptions {
  readonly threads?: number | undefined;
  /** Makes more images, as the bundle's preprocessing says (uint8 `[N, size, size, C]`), to compare the files on. */
  readonly images?: (how: PreprocessingDescription) => Iterable<ProofBatch> | AsyncIterable<ProofBatch>;
}

/** Checks a bundle. Throws a UserError for a folder that is none, or that was made to do harm. */
export async function verifyBundle(folder: string, options: VerifyBundleOptions = {}): Promise<Verification> {
  await settleFolder(folder);
  const card = await readCard(folder);
  const files = new Map<string, Uint8Array>();
  const findings = await checkBytes(folder, card, files);
  const isWhole = (path: string): boolean =>
    findings.every((finding) => finding.path !== path || finding.verdict !== 'failed');
  const broken = NEEDED.filter((path) => !isWhole(path));
  if (broken.length > 0) {
    findings.push(...card.exports.map((one) => notRun(one, `${broken.join(', ')} can't be relied on`)));
    return { card, findings, passed: false };
  }
  const golden = await readGolden(folder, card);
  const how = await readPreprocessing(folder);
  findings.push(...checkContents(card, { golden, how, proof: await readJson(folder, 'proof.json') }, files));
  const images = await goldenImages(card, golden, how, files);
  const running: Running[] = [];
  try {
    for (const one of card.exports) {
      const whole = one.files.every(isWhole) && golden.images.every(({ file }) => isWhole(file));
      findings.push(
        whole
          ? await runGolden(one, { files, images, golden, threads: options.threads, running })
          : notRun(one, 'the file or a golden image is not what was exported'),
      );
    }
    if (options.images) findings.push(...(await runMore(running, options.images(how))));
  } finally {
    for (const { runner } of running) await runner.dispose();
  }
  return { card, findings, passed: findings.every(({ verdict }) => verdict !== 'failed') };
}

const notRun = ({ main }: CardExport, text: string): Finding => ({
  ...{ path: main, check: 'run', verdict: 'not checked', text },
});

async function goldenImages(
  card: Card,
  golden: Golden,
  how: PreprocessingDescription,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Tensor[]> {
  const { size } = card;
  const images: Tensor[] = [];
  for (const { file } of golden.images) {
    if (!card.files[file]) throw hostile(`its golden image ${file} is not in the card`);
    const bytes = files.get(file);
    if (!bytes) continue; // It is missing or was changed, and then nothing is run.
    const picture = await decodeImage(bytes, { channels: how.channels, maxPixels: size * size, name: file });
    const { width, height, channels, data } = picture;
    if (width !== size || height !== size)
      throw new UserError(
        `${file} is ${width} × ${height} pixels, the model takes ${size} × ${size}.`,
        'Export again.',
      );
    images.push({ shape: [1, height, width, channels], data });
  }
  return images;
}
