import { closestMatch, UserError } from '../core/errors.ts';
import type { Engine } from '../engine/engine.ts';

/** Engines that compute. */
export const ENGINES: readonly string[] = ['wasm', 'reference'];

/** Opens an engine by name; `threads` undefined or null: its default. */
export async function openEngine(name = 'wasm', threads?: number | null): Promise<Engine> {
  if (name === 'reference') {
    const { createReferenceEngine } = await import('../engine/reference/engine.ts');
    return createReferenceEngine();
  }
  if (name === 'wasm') {
    const { nodeWasmEngine } = await import('../engine/wasm/node.ts');
    return await nodeWasmEngine(threads ? { threads } : {});
  }
  const near = closestMatch(name, ENGINES);
  throw new UserError(
    `There is no engine "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose one of ${ENGINES.join(', ')}.`,
    2,
  );
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
