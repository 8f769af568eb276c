import { defineConfig } from 'vitest/config';
import suite, { APART } from './vitest.config.ts';

/** Tests in real Chromium, which say that they are skipped where there is none, and the longest commands: `npm run test:e2e`. */
export default defineConfig({
  test: {
    ...suite.test,
    include: [...APART],
    exclude: [],
    outputFile: { json: 'build/test-results-e2e.json' },
  },
});
