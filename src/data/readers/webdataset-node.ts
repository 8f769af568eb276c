/**
 * WebDataset: tar files in which neighbors of one name up to the first dot are a sample: `key.jpg` with `key.cls` (a
 * class's number or name) or `key.json` (with "label" or "labels"). Images are read in place.
 * Convention: https://github.com/webdataset/webdataset
 */
import { dirname } from 'node:path';
import { UserError } from '../../core/errors.ts';
import { IMAGE_NAME } from '../../images/sniff-node.ts';
import { assemble, type Labeled } from '../assemble.ts';
import { type EncodedPart, type SplitDataset, sampleName } from '../dataset.ts';
import { type OpenedFile, withFile } from '../read-at-node.ts';
import type { SplitOptions } from '../split.ts';
import { classNamed, readClassNames } from './class-names-node.ts';
import { labelText } from './list-file-node.ts';
import { listShards, type Shard } from './shards-node.ts';
import type { Source } from './source.ts';
import { indexTar, type TarEntry } from './tar-index-node.ts';
import { isVisible } from './tree.ts';

export const TAR_NAME: RegExp = /\.(tar|tar\.gz|tgz)$/i;
const LABEL_KEYS = ['label', 'cls', 'class', 'target'];
/** Labels of more bytes are refused. */
const MOST_LABEL = 2 ** 20;

export async function hasTars(source: Source): Promise<boolean> {
  return (await listShards(source, TAR_NAME)).length > 0;
}

/** Reads the shards. Throws a UserError that names the sample that is wrong. */
export async function readWebDataset(source: Source, options: SplitOptions): Promise<SplitDataset> {
  const shards = await listShards(source, TAR_NAME);
  const folder = dirname(shards[0]!.path);
  const names = (await readClassNames(source.folder)) ?? (await readClassNames(folder));
  const found: Found[] = [];
  for (const shard of shards) for (const one of await readShard(shard)) found.push(one);
  if (found.length === 0)
    throw new UserError(
      `There are no images with labels in "${shards[0]!.path}".`,
      'A sample is key.jpg with key.cls or key.json beside it.',
    );
  const multiLabel = found[0]!.many;
  const items = found.map(({ item, many }) => {
    if (many !== multiLabel)
      throw new UserError(
        `"${sampleName(item.place)}" has ${many ? 'a list of labels' : 'one label'}, unlike the first sample.`,
        'Give all samples "label", or all "labels".',
      );
    return names ? { ...item, labels: item.labels.map((label) => classNamed(label, names)) } : item;
  });
  const where = ({ place }: Labeled): string => `"${sampleName(place)}"`;
  const name = source.file === undefined ? source.folder : shards[0]!.path;
  return assemble({ name, items, classes: names, multiLabel, where }, options);
}

interface Found {
  readonly item: Labeled;
  /** Its labels came as a list. */
  readonly many: boolean;
}

async function readShard(shard: Shard): Promise<Found[]> {
  const { path } = shard;
  if (!/\.tar$/i.test(path)) throw new UserError(`"${path}" is packed.`, `Unpack it first: gunzip "${path}"`);
  return await withFile(path, (file) => {
    const found: Found[] = [];
    for (const members of groups(file)) {
      const one = readSample(file, shard, members);
      if (one) found.push(one);
    }
    return found;
  });
}

interface Member extends TarEntry {
  readonly key: string;
  /** What follows the first dot, in lower case. */
  readonly ending: string;
}

/** Neighbors with the same key. */
function* groups(file: OpenedFile): Generator<Member[]> {
  let group: Member[] = [];
  for (const entry of indexTar(file)) {
    const base = entry.name.slice(entry.name.lastIndexOf('/') + 1);
    const dot = base.indexOf('.');
    if (dot <= 0 || !isVisible(base)) continue;
    const key = entry.name.slice(0, entry.name.length - base.length + dot);
    const member = { ...entry, key, ending: base.slice(dot + 1).toLowerCase() };
    if (group.length > 0 && group[0]!.key !== key) {
      yield group;
      group = [];
    }
    group.push(member);
  }
  if (group.length > 0) yield group;
}

function readSample(file: OpenedFile, { path, split }: Shard, members: readonly Member[]): Found | undefined {
  const images = members.filter(({ ending }) => IMAGE_NAME.test(`.${ending}`));
  const [image] = images;
  if (!image) return undefined;
  const wrong = (why: string, hint: string): UserError => new UserError(`"${path}:${image.key}" ${why}.`, hint);
  if (images.length > 1)
    throw wrong(`has two images, ${images[0]!.ending} and ${images[1]!.ending}`, 'Keep one image in each sample.');
  const read = (member: Member): string => {
    if (member.bytes > MOST_LABEL) throw wrong(`has a ${member.ending} of ${member.bytes} bytes`, 'Make it small.');
    return new TextDecoder().decode(file.read(member.offset, member.bytes));
  };
  const cls = members.find(({ ending }) => ending === 'cls');
  const json = members.find(({ ending }) => ending === 'json');
  const label = cls ? read(cls).trim() : json ? labelOf(read(json)) : undefined;
  if (label === undefined || label === '')
    throw wrong('has no label', `Put ${image.key}.cls, or ${image.key}.json with "label" or "labels", beside it.`);
  const part: EncodedPart = { kind: 'encoded', name: image.name, offset: image.offset, bytes: image.bytes };
  const labels = typeof label === 'string' ? [label] : label;
  return { item: { place: { path, part }, labels, split, name: image.name }, many: typeof label !== 'string' };
}

/** The label or labels of a sample's JSON. */
function labelOf(json: string): string | readonly string[] | undefined {
  let value: Readonly<Record<string, unknown>>;
  try {
    value = JSON.parse(json) ?? {};
  } catch {
    return undefined;
  }
  if (Array.isArray(value.labels)) {
    const labels = value.labels.map(labelText);
    return labels.includes(undefined) || labels.includes('') ? undefined : (labels as string[]);
  }
  const key = [...LABEL_KEYS, 'labels'].find((name) => value[name] !== undefined);
  return key === undefined ? undefined : labelText(value[key]);
}
