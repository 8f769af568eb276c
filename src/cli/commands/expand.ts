/** `mobileone expand`: branches for a fused model, whose sum equals it, with the proof that it does. */
import { modelGraph, requireForm } from '../../checkpoint/model-file.ts';
import { variantOf } from '../../checkpoint/recognize.ts';
import { saveModel } from '../../checkpoint/store-node.ts';
import { UserError } from '../../core/errors.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import { prove } from '../../reparam/prove.ts';
import { expand } from '../../train/expand.ts';
import { openCheckImages } from '../check-images.ts';
import { EXIT } from '../exit.ts';
import { proofText } from '../finish-run.ts';
import type { Io } from '../io.ts';
import { openEngine, wholeNumber } from '../open-engine.ts';
import { openModel } from '../open-model.ts';

export interface ExpandFlags {
  readonly out?: string | undefined;
  readonly numConvBranches?: string | undefined;
  readonly seed: string;
  readonly images?: string | undefined;
  readonly bound: string;
  readonly engine?: string | undefined;
  readonly threads?: string | undefined;
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

/** Batches on which the statistics of the branches are measured. */
const MEASURED = 16;

/** Writes the train form that equals a fused model; above the bound nothing is written. */
export async function expandCommand(io: Io, target: string, flags: ExpandFlags): Promise<number> {
  const bound = Number(flags.bound);
  if (!(bound > 0)) throw new UserError(`--bound must be a number above 0, got "${flags.bound}".`, '', 2);
  const branches = wholeNumber('--num-conv-branches', flags.numConvBranches);
  const seed = wholeNumber('--seed', flags.seed, 0);
  const opened = await openModel(target);
  const { model } = opened;
  requireForm(model, 'fused', 'to bring its branches back');
  const num_conv_branches = branches ?? model.config.num_conv_branches;
  const config = { ...model.config, num_conv_branches };
  const out = flags.out ?? opened.path.replace(/(\.safetensors)?$/, `-k${num_conv_branches}.safetensors`);
  const { preprocessing } = model;
  const images = await openCheckImages(io, opened, { path: flags.images, preprocessing, json: flags.json });
  try {
    const engine = await openEngine({ ...flags, name: flags.engine ?? opened.run?.recipe.engine });
    const graph = modelGraph(config, 'train');
    const inside = (form: typeof graph): typeof graph => withPreprocess(form, preprocessing);
    const input = { engine, graph: inside(graph), fused: model.state, batches: images.batches(), count: MEASURED };
    const state = await expand(input, { seed });
    const { generated } = images;
    const forms = [
      { graph: inside(graph), state },
      { graph: inside(model.graph), state: model.state },
    ] as const;
    const proof = await prove(engine, forms[0], forms[1], images.batches(), { bound, generated });
    const { variant: _, ...rest } = model;
    const variant = variantOf(config, 'train');
    await saveModel(out, { ...rest, ...(variant ? { variant } : {}), config, form: 'train', graph, state, proof });
    io.out(flags.json ? JSON.stringify({ path: out, num_conv_branches, ...proof }) : `${out}  ${proofText(proof)}`);
    return EXIT.ok;
  } finally {
    await images.close();
  }
}
