import { defineConfig } from 'vitest/config';

/** Long training checks: real images, minutes to hours. Set MOBILEONE_DATA to the folder that holds the data sets. */
export default defineConfig({
  test: { include: ['test/long/**/*.test.ts'], testTimeout: 3 * 3600_000, pool: 'forks', fileParallelism: false },
});
