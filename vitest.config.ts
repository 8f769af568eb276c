import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** What needs a browser has a command of its own (vitest.browser.config.ts), so that the suite stays short. */
export const BROWSER: readonly string[] = ['embed-web', 'phone', 'web', 'web-format'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/long/**', 'node_modules/**', ...BROWSER],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Vitest leaves a core free: of two cores it would use one, and much of the time here is waiting for processes.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    reporters: process.env.CI ? ['default', 'json'] : ['default'],
    outputFile: { json: 'build/test-results.json' },
  },
});
