import { closestMatch, UserError } from '../core/errors.ts';
import { type MobileOneConfig, VARIANTS, type Variant } from './mobileone.ts';
import { isZooNet } from './zoo/registry.ts';

const shortName = (variant: string): string => variant.toLowerCase().replace(/^mobileone[_-]/, '');

/** Whether a name is that of a variant, with or without `mobileone_` before it. */
export function isVariant(name: string): boolean {
  return Object.hasOwn(VARIANTS, shortName(name));
}

/** The configuration of a named variant with overrides; an unknown name gets a close-match hint. */
export function modelConfig(variant: string, overrides: Partial<MobileOneConfig> = {}): MobileOneConfig {
  const name = shortName(variant);
  if (!isVariant(name)) {
    const names = Object.keys(VARIANTS);
    if (isZooNet(variant))
      throw new UserError(
        `${variant} can be measured, but not trained: it is a network that MobileOne is compared with.`,
        `Train one of ${names.join(', ')}; mobileone info and mobileone bench take ${variant}.`,
      );
    const near = closestMatch(name, names);
    throw new UserError(
      `There is no variant "${variant}".`,
      `${near ? `Did you mean ${near}? ` : ''}Choose one of ${names.join(', ')}.`,
    );
  }
  const given = Object.fromEntries(Object.entries(overrides).filter(([, value]) => value !== undefined));
  return { ...VARIANTS[name as Variant], ...given };
}
