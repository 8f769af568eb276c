import { closestMatch, UserError } from '../core/errors.ts';
import type { Engine } from '../engine/engine.ts';

/** Engines that compute. */
export const ENGINES: readonly string[] = ['wasm', 'reference'];

/** How an engine is opened: what the flags of most verbs say. */
export interface EngineChoice {
  readonly name?: string | undefined;
  /** Undefined, null or `auto`: as many as cores, at most 8. */
  readonly threads?: number | string | null | undefined;
  /** `auto` or `off`. */
  readonly wide?: string | undefined;
}

/** Opens an engine. */
export async function openEngine({ name = 'wasm', threads, wide = 'auto' }: EngineChoice = {}): Promise<Engine> {
  if (wide !== 'auto' && wide !== 'off') throw new UserError(`--wide must be auto or off, got "${wide}".`, '', 2);
  const count = typeof threads === 'string' ? threadCount(threads) : threads;
  if (name === 'reference') {
    const { createReferenceEngine } = await import('../engine/reference/engine.ts');
    return createReferenceEngine();
  }
  if (name === 'wasm') {
    const { nodeWasmEngine } = await import('../engine/wasm/node.ts');
    return await nodeWasmEngine(count ? { threads: count, wide } : { wide });
  }
  const near = closestMatch(name, ENGINES);
  throw new UserError(
    `There is no engine "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose one of ${ENGINES.join(', ')}.`,
    2,
  );
}

/** Parses `--threads`: a whole number, or undefined for `auto`. */
export function threadCount(text: string | undefined): number | undefined {
  return text === 'auto' ? undefined : wholeNumber('--threads', text);
}

/** Parses a flag that is a whole number of at least `min`; undefined stays undefined. */
export function wholeNumber(flag: string, text: string, min?: number): number;
export function wholeNumber(flag: string, text: string | undefined, min?: number): number | undefined;
export function wholeNumber(flag: string, text: string | undefined, min = 1): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= min) return value;
  throw new UserError(`${flag} must be a whole number of at least ${min}, got "${text}".`, '', 2);
}
