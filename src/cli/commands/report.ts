import { existsSync } from 'node:fs';
import { loadModel } from '../../checkpoint/store-node.ts';
import { UserError } from '../../core/errors.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { openLoaders } from '../open-data.ts';
import { openEngine } from '../open-engine.ts';
import { planResumedRun } from '../plan-run.ts';
import { loaderHooks } from '../progress.ts';
import { writeRunReport } from '../run-report.ts';

export interface ReportFlags {
  readonly wide?: string | undefined;
  readonly json?: true | undefined;
}

/** `mobileone report`: writes a finished run's page anew, from its folder and its images. */
export async function reportCommand(io: Io, run: string, flags: ReportFlags): Promise<number> {
  const path = await rewriteReport(io, run, flags);
  io.out(flags.json ? JSON.stringify({ path }) : path);
  return EXIT.ok;
}

/** Evaluates the fused model of a run again and writes report.html, with what has been exported since. Returns its path. */
export async function rewriteReport(io: Io, run: string, { wide, json }: ReportFlags): Promise<string> {
  const plan = await planResumedRun(undefined, { resume: run });
  const { files, recipe, resume } = plan;
  if (!existsSync(files.fused))
    throw new UserError(
      `${run} has no fused model to report on.`,
      `Finish the run (mobileone train --resume ${run}), or fuse what is there: mobileone fuse ${run}`,
    );
  const engine = await openEngine({ name: recipe.engine, threads: recipe.threads, wide });
  const fused = await loadModel(files.fused);
  const loaders = await openLoaders(plan.data, recipe, plan.preprocessing, loaderHooks(io, json));
  try {
    return await writeRunReport(plan, engine, fused, loaders, resume!.position.metrics);
  } finally {
    await loaders.close();
  }
}
