import { NAMINGS, type Naming } from '../../checkpoint/names.ts';
import { saveModel } from '../../checkpoint/store-node.ts';
import { closestMatch, UserError } from '../../core/errors.ts';
import { originJson, originLines, sourceTitle } from '../describe-origin.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { openModel } from '../open-model.ts';

export interface ImportFlags {
  readonly to: string;
  readonly naming: string;
  readonly json?: true | undefined;
}

/** `mobileone import`: any kind of weights as one safetensors file that the code of the chosen framework loads as it is. */
export async function importCommand(io: Io, target: string, flags: ImportFlags): Promise<number> {
  const { to } = flags;
  const naming = namingOf(flags.naming);
  if (!/\.safetensors$/i.test(to))
    throw new UserError(`${to} would not be a safetensors file by its name.`, 'Name it --to FILE.safetensors.', 2);
  const { path, model, origin } = await openModel(target, { backbone: true });
  const info: Record<string, string> = { ...model.info };
  if (origin && origin.source !== 'mobileone') info.source = sourceTitle(origin.source, model);
  await saveModel(to, { ...model, info }, { naming, ...(origin ? { counters: origin.counters } : {}) });
  const { form, variant, classes } = model;
  if (flags.json) {
    const about = { from: path, form, variant: variant ?? null, classes: classes.length, naming };
    io.out(JSON.stringify({ path: to, ...about, origin: origin ? originJson(model, origin) : null }));
    return EXIT.ok;
  }
  io.out(`${path}: ${variant ?? 'no released variant'}, ${form} form, ${classes.length} classes`);
  if (origin) for (const line of originLines(model, origin)) io.out(`  ${line}`);
  io.out(`${to}  the names of ${naming}`);
  return EXIT.ok;
}

function namingOf(name: string): Naming {
  const found = NAMINGS.find((naming) => naming === name);
  if (found) return found;
  const near = closestMatch(name, NAMINGS);
  throw new UserError(
    `There is no naming "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose one of ${NAMINGS.join(', ')}.`,
    2,
  );
}
