import type { Loader } from '../../batches/loader-node.ts';
import type { PreprocessingDescription } from '../../export/preprocessing.ts';
import { sizeText } from '../../export/print-card.ts';
import { type Finding, type Verdict, verifyBundle } from '../../export/verify-bundle-node.ts';
import { DEFAULT_PREPROCESSING } from '../../images/preprocess.ts';
import { EXIT } from '../exit.ts';
import { atMost, PROOF_IMAGES, type ProofImages } from '../finish-run.ts';
import { imagesOf } from '../image-files.ts';
import type { Io } from '../io.ts';
import { openEvalLoader, pickSamples } from '../open-data.ts';
import { threadCount } from '../open-engine.ts';
import { loaderHooks } from '../progress.ts';
import { textTable } from '../text-table.ts';

export interface VerifyFlags {
  readonly images?: string | undefined;
  readonly threads?: string | undefined;
  readonly json?: true | undefined;
}

const BATCH = 16;
const SIGNS: Readonly<Record<Verdict, string>> = { ok: 'ok', failed: 'FAILED', 'not checked': '-' };

/** `mobileone verify`: repeats the checks of a bundle. Exit code 1 when any fails. */
export async function verifyCommand(io: Io, folder: string, flags: VerifyFlags): Promise<number> {
  const { images, json } = flags;
  const { card, findings, passed } = await verifyBundle(folder, {
    threads: threadCount(flags.threads),
    ...(images === undefined ? {} : { images: (how) => moreImages(io, images, how, json) }),
  });
  const count = (verdict: Verdict): number => findings.filter((finding) => finding.verdict === verdict).length;
  if (json) io.out(JSON.stringify({ path: folder, passed, title: card.title, findings }));
  else {
    io.out(`${card.title} (${card.created_with})`);
    for (const line of textTable(findings.map(row), 5)) io.out(line);
    const failed = count('failed');
    const unchecked = count('not checked');
    const rest = unchecked > 0 ? `, ${unchecked} not checked` : '';
    io.out(
      passed
        ? `all is well: ${count('ok')} checks${rest}`
        : `${failed} of ${failed + count('ok')} checks failed${rest}`,
    );
  }
  if (!passed && !json) io.err('Do not ship from this folder. Export again, or copy it again from where it was whole.');
  return passed ? EXIT.ok : EXIT.input;
}

const row = ({ path, check, verdict, text, bytes }: Finding): string[] => [
  SIGNS[verdict],
  path,
  bytes === undefined ? '' : sizeText(bytes),
  check,
  text,
];

/** Images of the user's, prepared as the bundle says; some at random of more than a check uses. */
async function* moreImages(
  io: Io,
  path: string,
  { crop, resize, channels }: PreprocessingDescription,
  json: true | undefined,
): AsyncGenerator<ProofImages> {
  const samples = (await imagesOf([path])).map((place) => ({ ...place, label: 0 }));
  const dataset = pickSamples({ classes: [''], samples }, PROOF_IMAGES, 0);
  const preprocessing = {
    ...DEFAULT_PREPROCESSING,
    size: crop,
    // The short side is what was left of a division that was rounded down.
    cropPct: crop / (resize.short_side + 0.5),
    mean: Array<number>(channels).fill(0),
    std: Array<number>(channels).fill(1),
  };
  let loader: Loader | undefined;
  try {
    loader = await openEvalLoader(
      dataset,
      Math.min(BATCH, dataset.samples.length),
      preprocessing,
      loaderHooks(io, json),
    );
    yield* atMost(loader.epoch(0), PROOF_IMAGES);
  } finally {
    await loader?.close();
  }
}
