/** What several verbs say of the same argument or flag. */
export const MODEL = 'a run folder, a file of weights (docs/checkpoints.md), or hub:owner/name';
export const ENGINE = 'wasm or reference (wasm)';
export const THREADS = 'threads of the engine, or auto: as many as cores, at most 8 (auto)';
export const BOUND = 'largest logit difference allowed, relative to the largest logit';
export const WIDE = '256-bit vectors where V8 has them: auto or off (auto); same results';
