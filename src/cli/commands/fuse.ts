import { requireForm } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import { openCheckImages } from '../check-images.ts';
import { EXIT } from '../exit.ts';
import { fuseWithProof, proofText, saveFused } from '../finish-run.ts';
import type { Io } from '../io.ts';
import { openEngine } from '../open-engine.ts';
import { beside, openModel } from '../open-model.ts';

export interface FuseFlags {
  readonly out?: string | undefined;
  readonly images?: string | undefined;
  readonly bound: string;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

/** `mobileone fuse`: writes the fused form with its proof; above the bound nothing is written. */
export async function fuseCommand(io: Io, target: string, flags: FuseFlags): Promise<number> {
  const bound = Number(flags.bound);
  if (!(bound > 0)) throw new UserError(`--bound must be a number above 0, got "${flags.bound}".`, '', 2);
  const opened = await openModel(target);
  requireForm(opened.model, 'train', 'to fuse it');
  const out = flags.out ?? opened.run?.files.fused ?? beside(opened.path, '-fused.safetensors');
  const proofPath = flags.out === undefined && opened.run ? opened.run.files.proof : beside(out, '.proof.json');
  const { preprocessing } = opened.model;
  const images = await openCheckImages(io, opened, { path: flags.images, preprocessing, json: flags.json });
  try {
    const engine = await openEngine({ ...flags, name: flags.engine ?? opened.run?.recipe.engine });
    const { fused, proof } = await fuseWithProof(engine, opened.model, images.batches(), {
      bound,
      generated: images.generated,
    });
    await saveFused(out, proofPath, fused, proof);
    io.out(flags.json ? JSON.stringify({ path: out, ...proof }) : `${out}  ${proofText(proof)}`);
    return EXIT.ok;
  } finally {
    await images.close();
  }
}
