/** Inference in real Chromium: ours, ONNX Runtime Web and LiteRT.js on one page, one thread each. */
import { toOnnx } from '../src/engine/onnx/to-onnx.ts';
import { toTflite } from '../src/engine/tflite/to-tflite.ts';
import { answerFromChromium, chromiumReady } from '../test/e2e/chromium.ts';
import type { PageResult } from './page.ts';
import { type circumstances, median, outputDifference, row } from './run.ts';
import type { Row, SideResult, SideSpec } from './spec.ts';
import { benchSubject } from './subject.ts';

const MODULES = {
  'onnxruntime-web/wasm': '/node_modules/onnxruntime-web/dist/ort.wasm.min.mjs',
  '@litertjs/core': '/node_modules/@litertjs/core/dist/index.js',
  '@litertjs/wasm-utils': '/node_modules/@litertjs/wasm-utils/dist/index.js',
};
const PAGE = `<!doctype html><script type="importmap">${JSON.stringify({ imports: MODULES })}</script>
<script>addEventListener('unhandledrejection', (event) => fetch('/answer', { method: 'POST', body: JSON.stringify({ error: String(event.reason) }) }));</script>
<script type="module" src="/build/bench-page.js"></script>`;

/** Rows of the comparison in Chromium; none (and why) where there is no Chromium. */
export async function browserRows(
  subject: Pick<SideSpec, 'variant' | 'batch' | 'size'>,
  options: { readonly rounds: number; readonly runs: number; readonly common: ReturnType<typeof circumstances> },
): Promise<{ rows: Row[]; notes: string[] }> {
  if (!chromiumReady) return { rows: [], notes: ['there is no Chromium here (or no build): its part was left out'] };
  const spec: SideSpec = { side: 'ours', task: 'infer', threads: 1, wide: 'off', runs: options.runs, ...subject };
  const { graph, state, dims } = benchSubject(spec);
  const texts = {
    '/': PAGE,
    '/setup.json': JSON.stringify({ spec, rounds: options.rounds }),
    '/model.onnx': await toOnnx(graph, state, { dims }),
    '/model.tflite': await toTflite(graph, state, { dims }),
  };
  const answer = await answerFromChromium({ texts, modules: true });
  if (answer.error) return { rows: [], notes: [`Chromium: ${String(answer.error)}`] };
  const { results, notes, agent } = answer as unknown as { results: PageResult[]; notes: string[]; agent: string };
  const [ours, ...theirs] = results;
  const browser = /Chrome\/[\d.]+/.exec(agent)?.[0].replace('/', ' ') ?? agent;
  const what = {
    bench: 'browser',
    subject: `${subject.variant.toUpperCase()}, ${subject.size} px, batch ${subject.batch}, 1 thread, ${browser}`,
    unit: 'ms',
    ours: ours!.runtime,
  };
  const rows = theirs.map((peer) => {
    const difference = outputDifference(ours as unknown as SideResult, peer as unknown as SideResult);
    const rest = difference === undefined ? {} : { difference };
    return row({ ...what, peer: peer.runtime }, median(ours!.times), median(peer.times), rest, options.common);
  });
  return { rows, notes };
}
