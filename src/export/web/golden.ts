/** The golden images of a bundle, run in the visitor's browser. */
import type { ImageModel } from '../../embed/model.ts';
import type { WebImage } from '../../images/decode-web.ts';
import type { Golden } from '../golden.ts';

/** Runs the images of `../golden.json` and says whether they agree; empty where there is none. */
export async function checkGolden(model: ImageModel<WebImage>, bound: number): Promise<string> {
  const url = new URL('../golden.json', location.href);
  const response = await fetch(url).catch(() => undefined);
  if (!response?.ok || !response.headers.get('content-type')?.includes('json')) return '';
  const { images: entries } = (await response.json()) as Golden;
  let worst = 0;
  let agreeing = 0;
  for (const { file, logits } of entries) {
    const image = await (await fetch(new URL(file, url))).blob();
    const actual = await model.logits(image, { cropped: true });
    const largest = Math.max(...logits.map(Math.abs));
    const difference = Math.max(...logits.map((expected, i) => Math.abs(expected - actual[i]!))) / largest;
    worst = Math.max(worst, difference);
    if (difference <= bound) agreeing++;
  }
  const sign = agreeing === entries.length ? '✓' : '✗';
  const difference =
    worst === 0 ? 'there is no difference' : `the largest difference is ${worst.toExponential(1)} of the largest logit`;
  return `${sign} ${agreeing} of ${entries.length} golden images give the expected logits in this browser: ${difference} (allowed: ${bound.toExponential(0)}).`;
}
