/** What could not be measured, for the notes of a report. */
import type { Refusal } from './study.ts';
import { countText, listText } from './words.ts';

/** A sentence for each reason on each side; `all` is how many candidates there were. */
export function refusalNotes(refused: readonly Refusal[], all: number): string[] {
  const reasons = new Map<string, { readonly where: string; readonly reason: string; readonly names: string[] }>();
  for (const { name, runtime, threads, reason } of refused) {
    const where = `${runtime}, ${countText(threads, 'thread')}`;
    const key = `${where}\n${reason}`;
    const known = reasons.get(key) ?? { where, reason: reason.replace(/\.$/, ''), names: [] };
    known.names.push(name);
    reasons.set(key, known);
  }
  return [...reasons.values()].map(
    ({ where, reason, names }) =>
      `Not measured on ${where}: ${names.length === all && all > 1 ? 'every network' : listText(names)} (${reason}).`,
  );
}
