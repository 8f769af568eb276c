/** How large `import { load } from 'mobileone/web'` makes a page, and what is not in it. Counts, not timings. */
import { expect, test } from 'vitest';
import { bundleSize, PROMISED } from '../../bench/bundle-size.ts';
import { built } from './cli-process.ts';

test.skipIf(!built)(
  'a page loads no more than promised, and nothing of training or export (skipped without a build)',
  async () => {
    const { page, file, code } = await bundleSize();
    expect(page.raw).toBeLessThan(PROMISED.raw);
    expect(page.gzip).toBeLessThan(PROMISED.gzip);
    expect(file.gzip).toBeLessThan(PROMISED.gzip * 1.2);
    for (const foreign of ['onnx', 'tflite', 'node:', 'has no gradient', 'needs the package'])
      expect([foreign, code.toLowerCase().includes(foreign)]).toEqual([foreign, false]);
  },
);
