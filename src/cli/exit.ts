/** Exit codes: 0 fine, 1 the user's input, 2 usage, 70 our bug, 130 interrupted. */
export const EXIT = { ok: 0, input: 1, usage: 2, bug: 70, interrupted: 130 } as const;
