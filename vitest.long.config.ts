import { defineConfig } from 'vitest/config';

/** Unit tests of which the suite makes a part: of the random runs, of the networks. */
const PARTS = [
  ...['engine/wasm', 'engine/dense-grad', 'engine/zoo', 'golden/golden'],
  ...['e2e/hostile-data', 'e2e/web', 'e2e/phone'],
].map((name) => `test/${name}.test.ts`);

/**
 * Long checks, minutes to hours: training on real images (set MOBILEONE_DATA to the folder that holds the data sets), runs
 * killed at many moments, and all random runs and networks of which the suite makes a part.
 */
export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts', ...PARTS],
    env: { MOBILEONE_LONG: '1' },
    testTimeout: 3 * 3600_000,
    pool: 'forks',
    fileParallelism: false,
  },
});
