import { basename, resolve } from 'node:path';
import pc from 'picocolors';
import { writeAtomic } from '../../checkpoint/store-node.ts';
import { decodeSample } from '../../data/decode-sample-node.ts';
import { type Diagnosis, FEW, type FixRow, type Group, LONG } from '../../data/doctor/examine.ts';
import { type Inspected, inspectData } from '../../data/doctor/inspect-node.ts';
import { readSplitData } from '../../data/held-out-node.ts';
import { loadSharp } from '../../images/decode-node.ts';
import { DEFAULT_RECIPE } from '../../recipe/fields.ts';
import { renderDoctorPage } from '../../report/doctor-page.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../open-engine.ts';
import { countProgress } from '../progress.ts';

export interface DoctorFlags {
  readonly val?: string | undefined;
  readonly size?: string | undefined;
  readonly fix?: string | undefined;
  readonly report?: string | undefined;
  readonly json?: true | undefined;
}

/** Lines of a list in the terminal. */
const LISTED = 5;

/**
 * `mobileone data doctor`: what is wrong with a data set. The code is 0 for a clean one and 1 where something falsifies
 * results or can't be read, so that scripts can stop there. Nothing is ever removed.
 */
export async function doctorCommand(io: Io, folder: string, flags: DoctorFlags): Promise<number> {
  const size = wholeNumber('--size', flags.size) ?? DEFAULT_RECIPE.size;
  const data = await readSplitData(folder, flags.val, {
    valFraction: DEFAULT_RECIPE.val_fraction,
    seed: DEFAULT_RECIPE.seed,
  });
  const began = performance.now();
  const found = await inspectData(data, { folder, size, onProgress: countProgress(io, flags.json === true) });
  const seconds = (performance.now() - began) / 1000;
  if (flags.fix !== undefined) await writeAtomic(flags.fix, fixCsv(found.fix));
  const notes = [...data.warnings, ...notesOf(found, size)];
  const written = { ...(flags.fix ? { fix: flags.fix } : {}), ...(flags.report ? { report: flags.report } : {}) };
  if (flags.report !== undefined) await writePage(flags.report, folder, found, { size, notes });
  if (flags.json) io.out(JSON.stringify({ ...asJson(folder, found, notes), seconds, ...written }));
  else for (const line of summary(folder, found, notes, flags)) io.out(line);
  return found.problems > 0 ? EXIT.input : EXIT.ok;
}

/** The rows as CSV with a header. */
export function fixCsv(rows: readonly FixRow[]): string {
  const cell = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = rows.map(({ path, reason, action, of }) => [path, reason, action, of].map(cell).join(','));
  return ['path,reason,action,of', ...lines, ''].join('\n');
}

interface Finding {
  /** One sentence with its number. */
  readonly text: string;
  readonly examples: readonly string[];
  /** It falsifies results, or is not an image. */
  readonly problem: boolean;
}

const many = (count: number, one: string, several = `${one}s`): string => `${count} ${count === 1 ? one : several}`;

function findings({ images, classes, groups }: Diagnosis): Finding[] {
  const list = ({ members }: Group, name: (i: number) => string): string =>
    members.slice(0, LISTED).map(name).join('  =  ') +
    (members.length > LISTED ? ` and ${members.length - LISTED} more` : '');
  const paths = (group: Group): string => list(group, (i) => images[i]!.path);
  const labeled = (group: Group): string =>
    list(group, (i) => `${images[i]!.path} (${images[i]!.labels.map((label) => classes[label]).join(' + ')})`);
  const broken = images.flatMap(({ broken: why }) => why ?? []);
  const misnamed = images.flatMap(({ path, misnamed: what }) => (what ? [`${path} is a ${what}`] : []));
  const conflicts = groups.filter(({ conflict }) => conflict);
  const leaks = groups.filter(({ leak }) => leak);
  const rest = groups.filter(({ leak, conflict }) => !leak && !conflict);
  const exact = rest.filter(({ members, same }) => new Set(same).size < members.length);
  const near = rest.filter((group) => !exact.includes(group));
  return [
    { text: `${many(broken.length, 'file')} can't be read`, examples: broken, problem: true },
    { text: `${many(misnamed.length, 'name')} of another format than the file`, examples: misnamed, problem: true },
    {
      text: `${many(leaks.length, 'picture')} in more than one of train, val and test (${leaks.filter((g) => g.exact).length} exact)`,
      examples: leaks.map(paths),
      problem: true,
    },
    {
      text: `${many(conflicts.length, 'picture')} with different labels`,
      examples: conflicts.map(labeled),
      problem: true,
    },
    { text: `${many(exact.length, 'picture')} more than once in a split`, examples: exact.map(paths), problem: true },
    { text: `${many(near.length, 'group')} of near duplicates in a split`, examples: near.map(paths), problem: false },
  ];
}

/** What is no fault, but good to know. */
function notesOf({ images, few, imbalance, tiny, empty, long }: Diagnosis, size: number): string[] {
  const count = (test: (image: Diagnosis['images'][number]) => unknown): number => images.filter(test).length;
  const gray = count(({ gray: is }) => is);
  const readable = count(({ broken }) => broken === undefined);
  const notes: readonly [number, string][] = [
    [
      few.length,
      `${many(few.length, 'class', 'classes')} with fewer than ${FEW} training images: ${few.slice(0, 10).join(', ')}`,
    ],
    [imbalance >= 3 ? 1 : 0, `the largest class has ${imbalance.toFixed(1)} times the training images of the smallest`],
    [tiny.length, `${many(tiny.length, 'image')} with a side under ${size} px, enlarged to the input`],
    [empty.length, `${many(empty.length, 'image')} of one tone all over`],
    [long.length, `${many(long.length, 'image')} more than ${LONG} times as long as wide, cropped to the middle`],
    [gray, `${gray === readable ? 'all images are' : `${many(gray, 'image is', 'images are')}`} gray`],
    [count(({ alpha }) => alpha), `${count(({ alpha }) => alpha)} with transparency, put on white`],
    [
      count(({ rotated }) => rotated),
      `${count(({ rotated }) => rotated)} turned by a tag (heeded here, not by every program)`,
    ],
  ];
  return notes.flatMap(([times, text]) => (times > 0 ? [text] : []));
}

function summary(folder: string, found: Diagnosis, notes: readonly string[], flags: DoctorFlags): string[] {
  const { images, classes, sizes, fix, problems } = found;
  const counts = (['train', 'val', 'test'] as const).flatMap((split) => {
    const count = images.filter((image) => image.split === split).length;
    return count > 0 ? [`${count} ${split}`] : [];
  });
  const lines = [
    `${folder}: ${many(images.length, 'image')} (${counts.join(', ')}) of ${many(classes.length, 'class', 'classes')}, median ${sizes.width.median} × ${sizes.height.median} px`,
  ];
  for (const { text, examples, problem } of findings(found)) {
    if (examples.length === 0) continue;
    lines.push(`${problem ? pc.red('✗') : pc.yellow('·')} ${text}`);
    lines.push(...examples.slice(0, LISTED).map((example) => `    ${example}`));
    if (examples.length > LISTED) lines.push(`    … and ${examples.length - LISTED} more`);
  }
  for (const note of notes) lines.push(`${pc.yellow('·')} ${note}`);
  if (problems === 0) lines.push(`${pc.green('✓')} nothing that falsifies results`);
  const drops = fix.filter(({ action }) => action === 'drop').length;
  if (flags.fix) lines.push(`${flags.fix}: ${drops} to leave out; mobileone train ${folder} --exclude ${flags.fix}`);
  else if (drops > 0)
    lines.push(`--fix FILE lists the ${drops} to leave out; --report FILE.html shows them side by side`);
  if (flags.report) lines.push(`report ${flags.report}`);
  return lines;
}

function asJson(folder: string, found: Inspected, notes: readonly string[]): object {
  const { images, classes, groups, balance, imbalance, few, sizes, tiny, empty, long, fix, problems } = found;
  const path = (i: number): string => images[i]!.path;
  return {
    folder,
    images: images.length,
    classes,
    problems,
    broken: images.flatMap(({ path: name, broken }) => (broken === undefined ? [] : [{ path: name, reason: broken }])),
    misnamed: images.flatMap(({ path: name, misnamed }) =>
      misnamed === undefined ? [] : [{ path: name, format: misnamed }],
    ),
    groups: groups.map(({ exact, leak, conflict, members }) => ({
      exact,
      leak,
      conflict,
      images: members.map((i) => ({
        path: path(i),
        split: images[i]!.split,
        classes: images[i]!.labels.map((label) => classes[label]),
      })),
    })),
    balance,
    imbalance,
    few,
    sizes,
    tiny: tiny.map(path),
    empty: empty.map(path),
    long: long.map(path),
    notes,
    fixes: fix,
  };
}

const THUMBNAIL = 160;

async function writePage(
  path: string,
  folder: string,
  found: Inspected,
  { size, notes }: { readonly size: number; readonly notes: readonly string[] },
): Promise<void> {
  const sharp = await loadSharp();
  const thumbnail = async (index: number): Promise<Uint8Array | undefined> => {
    const { width, height, data } = await decodeSample(found.samples[index]!, { shortSide: THUMBNAIL });
    const raw = { width, height, channels: 3 as const };
    return await sharp(data, { raw })
      .resize({ width: THUMBNAIL, height: THUMBNAIL, fit: 'inside', withoutEnlargement: true })
      .jpeg({ quality: 75 })
      .toBuffer();
  };
  const { images, classes } = found;
  const html = await renderDoctorPage({
    title: `What the doctor found in ${basename(resolve(folder))}`,
    summary: `${many(images.length, 'image')} of ${many(classes.length, 'class', 'classes')}. Nothing was changed or removed.`,
    headlines: findings(found).map(({ text, examples }) => ({
      value: String(examples.length),
      text: text.replace(/^\d+ /, ''),
    })),
    diagnosis: found,
    size,
    notes,
    thumbnail,
  });
  await writeAtomic(path, html);
}
