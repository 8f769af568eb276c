import { requireForm } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import { EXIT } from '../exit.ts';
import { fuseWithProof, proofText, saveFused } from '../finish-run.ts';
import { imagesForCheck } from '../image-files.ts';
import type { Io } from '../io.ts';
import { openEvalLoader } from '../open-data.ts';
import { openEngine } from '../open-engine.ts';
import { beside, openModel } from '../open-model.ts';
import { loaderHooks } from '../progress.ts';

export interface FuseFlags {
  readonly out?: string | undefined;
  readonly images?: string | undefined;
  readonly bound: string;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

const PROOF_BATCH = 16;

/** `mobileone fuse`: writes the fused form with its proof; above the bound nothing is written. */
export async function fuseCommand(io: Io, target: string, flags: FuseFlags): Promise<number> {
  const bound = Number(flags.bound);
  if (!(bound > 0)) throw new UserError(`--bound must be a number above 0, got "${flags.bound}".`, '', 2);
  const opened = await openModel(target);
  requireForm(opened.model, 'train', 'to fuse it');
  const dataset = await imagesForCheck(opened, flags.images);
  const out = flags.out ?? opened.run?.files.fused ?? beside(opened.path, '-fused.safetensors');
  const proofPath = flags.out === undefined && opened.run ? opened.run.files.proof : beside(out, '.proof.json');
  const batch = Math.min(PROOF_BATCH, dataset.samples.length);
  const loader = await openEvalLoader(dataset, batch, opened.model.preprocessing, loaderHooks(io, flags.json));
  try {
    const engine = await openEngine({ ...flags, name: flags.engine ?? opened.run?.recipe.engine });
    const { fused, proof } = await fuseWithProof(engine, opened.model, loader.epoch(0), bound);
    await saveFused(out, proofPath, fused, proof);
    io.out(flags.json ? JSON.stringify({ path: out, ...proof }) : `${out}  ${proofText(proof)}`);
    return EXIT.ok;
  } finally {
    await loader.close();
  }
}
