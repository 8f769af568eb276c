import { defineConfig } from 'vitest/config';
import suite, { BROWSER } from './vitest.config.ts';

/** Tests in real Chromium, which say that they are skipped where there is none: `npm run test:browser`. */
export default defineConfig({
  test: {
    ...suite.test,
    include: [...BROWSER],
    exclude: [],
    outputFile: { json: 'build/test-results-browser.json' },
  },
});
