/** Kernel threads that die, for tests: text put before a worker's own. */

/** What a thread does instead of its share, and what is then said of it. */
export const DEATHS: Readonly<Record<string, { readonly code: string; readonly reason: RegExp }>> = {
  'throws in a kernel': { code: 'throw new WebAssembly.RuntimeError("unreachable");', reason: /unreachable/ },
  'leaves the process': { code: 'process.exit(7);', reason: /it ended with code 7/ },
  'runs out of memory': {
    code: 'const hoard = []; for (;;) hoard.push(new Array(100000).fill(0.5));',
    reason: /memory limit|OUT_OF_MEMORY/i,
  },
};

/** Text that makes the kernels of a worker run `code` (a statement) instead of its share of run number `run`. */
export function breaking(code: string, run = 1): string {
  return `
    const { Instance } = WebAssembly;
    let runs = 0;
    WebAssembly.Instance = function (module, imports) {
      const { exports } = new Instance(module, imports);
      const run = (...args) => {
        if (++runs === ${run}) { ${code} }
        return exports.run(...args);
      };
      return { exports: { ...exports, run } };
    };`;
}
