/** Networks of the zoo as candidates of a study, and the choice among candidates by their names. */
import { closestMatch, UserError } from '../core/errors.ts';
import { ZOO } from '../models/zoo/registry.ts';
import type { Candidate } from './study.ts';

/** The network that is measured in every group, to tell how fast the machine was just then. */
export const REFERENCE = 'mobileone_s0';

export function zooCandidate(name: string): Candidate {
  return { name, build: () => ZOO[name]!.build() };
}

/** Of `names` those that `--nets` asks for, all without it; throws a UserError with the nearest name for one that is not there. */
export function wantedOf(names: readonly string[], nets: readonly string[] | undefined): readonly string[] {
  if (!nets) return names;
  for (const net of nets) {
    if (names.includes(net)) continue;
    const near = closestMatch(net, names);
    throw new UserError(
      `This study has no network "${net}".`,
      `${near ? `Did you mean ${near}? ` : ''}Choose from ${names.join(', ')}.`,
      2,
    );
  }
  return names.filter((name) => nets.includes(name));
}
