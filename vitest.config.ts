import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/**
 * What needs a browser, and the longest commands from end to end, have a command of their own (vitest.e2e.config.ts), so that the suite
 * stays below three minutes on two cores.
 */
const BROWSER = ['embed-web', 'phone', 'web', 'web-format'] as const;
const LONG_COMMANDS = ['in-chans', 'multi-label', 'prove', 'seeing'] as const;
export const APART: readonly string[] = [...BROWSER, ...LONG_COMMANDS].map((name) => `test/e2e/${name}.test.ts`);

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/long/**', 'node_modules/**', ...APART],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Vitest leaves a core free: of two cores it would use one, and much of the time here is waiting for processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'build/test-results.json' },
  },
});
