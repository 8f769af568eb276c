/** What a file of weights is, in words and as JSON: for `info` and `import`. */
import type { ModelFile, Origin } from '../checkpoint/model-file.ts';
import { SOURCES, type Source } from '../checkpoint/sources.ts';
import type { StoredTensor } from '../checkpoint/stored.ts';

const LISTED = 8;

/** Whose weights these are: as the names tell, or as a file of ours says of what it was imported from. */
export function sourceTitle(source: Source, { info }: ModelFile): string {
  if (source !== 'mobileone') return SOURCES[source].title;
  return Object.hasOwn(info, 'source') ? `mobileone, imported from ${info.source}` : 'mobileone';
}

/** How many tensors a file has of each type of numbers, of all it holds for the network. */
export function elementCounts({ file }: Origin): Record<string, number> {
  const counts: Record<string, number> = {};
  const add = ({ element }: StoredTensor): void => {
    counts[element] = (counts[element] ?? 0) + 1;
  };
  file.tensors.forEach(add);
  file.counters.forEach(add);
  return counts;
}

/** The facts as JSON. */
export function originJson(model: ModelFile, origin: Origin): object {
  const { source, file } = origin;
  return {
    source,
    container: file.container,
    naming: file.naming,
    prefix: file.prefix,
    path: file.path,
    tensors: file.tensors.size + file.counters.size,
    elements: elementCounts(origin),
    counters: file.counters.size,
    leftOut: file.leftOut,
    beside: file.beside,
    metadata: Object.keys(file.metadata),
    license: model.info.license ?? null,
  };
}

/** The facts in lines. */
export function originLines(model: ModelFile, origin: Origin): string[] {
  const { source, file } = origin;
  const types = Object.entries(elementCounts(origin)).map(([element, count]) => `${count} ${element}`);
  const where = [
    ...(file.path.length > 0 ? [`under ${file.path.join(', ')}`] : []),
    ...(file.prefix === '' ? [] : [`names behind "${file.prefix}"`]),
  ];
  const list = (names: readonly string[]): string =>
    names.slice(0, LISTED).join(', ') + (names.length > LISTED ? `, … ${names.length - LISTED} more` : '');
  return [
    `source: ${sourceTitle(source, model)}; ${[file.container, ...where].join(', ')}; ${file.tensors.size + file.counters.size} tensors (${types.join(', ')})`,
    ...(source === 'mobileone' ? [] : [`preprocessing: the file has none; taken ${SOURCES[source].documented}`]),
    ...(model.classes.length === 0 ? ['no classifier: a backbone, to train --pretrained'] : []),
    ...(file.leftOut.length > 0 ? [`other tensors, left out: ${list(file.leftOut)}`] : []),
    ...(file.beside.length > 0 ? [`also in the file, not used: ${list(file.beside)}`] : []),
    `license: ${model.info.license ?? 'not stated in the file'}`,
  ];
}
