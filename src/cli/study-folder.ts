/** The folder that a study's files go to: a new one, or that of an earlier run of the same study. */
import { existsSync } from 'node:fs';
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { asWriteError } from '../checkpoint/write-node.ts';
import { UserError } from '../core/errors.ts';
import { makeFolder } from '../core/folder-node.ts';
import { STUDY_FILE } from '../report/study/files-node.ts';

/** `studies/NAME-DATE`, with a number behind it if there is one already. */
export function newStudyFolder(study: string, date: Date): string {
  const base = join('studies', `${study}-${date.toISOString().slice(0, 10)}`);
  for (let n = 1; ; n++) {
    const folder = n === 1 ? base : `${base}-${n}`;
    if (!existsSync(folder)) return folder;
  }
}

/** Refuses a folder that can't be made, since measuring takes minutes; nothing stays of the trial. */
async function tryToMake(folder: string): Promise<void> {
  const first = await makeFolder(folder).catch((error: unknown) => {
    throw asWriteError(error, folder);
  });
  for (let made = resolve(folder); first?.length && made.length >= first.length; made = dirname(made))
    await rmdir(made);
}

/** Refuses a folder that can't be made, or holds anything but an earlier run of the study, which would be replaced. */
export async function checkStudyFolder(folder: string, study: string): Promise<void> {
  if (!existsSync(folder)) return await tryToMake(folder);
  const names = await readdir(folder).catch(() => {
    throw new UserError(`${folder} is no folder.`, 'Name another with --out.');
  });
  if (names.length === 0) return;
  const earlier = await readFile(join(folder, STUDY_FILE), 'utf8').then(
    (text) => readEarlier(text),
    () => undefined,
  );
  if (!earlier)
    throw new UserError(`${folder} holds other files, which would be lost.`, 'Name a new folder with --out.');
  if (earlier.study !== study)
    throw new UserError(`${folder} holds the study "${earlier.study}".`, 'Name another folder with --out.');
  const foreign = names.filter((name) => !earlier.files.includes(name));
  if (foreign.length > 0)
    throw new UserError(
      `${folder} holds an earlier run of this study, and files that are not of it: ${foreign.slice(0, 5).join(', ')}.`,
      'They would be lost: move them, or name another folder with --out.',
    );
}

function readEarlier(text: string): { readonly study: string; readonly files: readonly string[] } | undefined {
  try {
    const { format, study, files } = JSON.parse(text) as { format: string; study: { name: string }; files: string[] };
    return format === 'mobileone-study' && Array.isArray(files) ? { study: study.name, files } : undefined;
  } catch {
    return undefined;
  }
}
