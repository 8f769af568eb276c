import { closestMatch, UserError } from '../core/errors.ts';
import { type MobileOneConfig, VARIANTS, type Variant } from './mobileone.ts';

/** The configuration of a named variant with overrides; an unknown name gets a close-match hint. */
export function modelConfig(variant: string, overrides: Partial<MobileOneConfig> = {}): MobileOneConfig {
  const name = variant.toLowerCase().replace(/^mobileone[_-]/, '');
  if (!Object.hasOwn(VARIANTS, name)) {
    const names = Object.keys(VARIANTS);
    const near = closestMatch(name, names);
    throw new UserError(
      `There is no variant "${variant}".`,
      `${near ? `Did you mean ${near}? ` : ''}Choose one of ${names.join(', ')}.`,
    );
  }
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  return { ...VARIANTS[name as Variant], ...given };
}
