/** The studies: one table. */
import { closestMatch, UserError } from '../core/errors.ts';
import { activations } from './activations.ts';
import { blocks } from './blocks.ts';
import { correlation } from './correlation.ts';
import { platforms } from './platforms.ts';
import type { Study } from './study.ts';

export const STUDIES: readonly Study[] = [correlation, activations, blocks, platforms];

/** The study of a name; throws a UserError with the nearest one for an unknown name. */
export function studyNamed(name: string): Study {
  const found = STUDIES.find((study) => study.name === name.toLowerCase());
  if (found) return found;
  const names = STUDIES.map((study) => study.name);
  const near = closestMatch(name, names);
  throw new UserError(
    `There is no study "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose one of ${names.join(', ')}.`,
    2,
  );
}
