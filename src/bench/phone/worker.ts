/** The worker of the page: measures by the protocol of the command line and tells the page. Bundled alone, as a classic script. */

import { decodeSafetensors } from '../../checkpoint/safetensors.ts';
import { UserError } from '../../core/errors.ts';
import { bind } from '../../graph/bind.ts';
import type { Graph } from '../../graph/graph.ts';
import { describeBrowser } from '../device-web.ts';
import { measure, type Subject } from '../measure.ts';
import { patternImage } from '../pattern.ts';
import { makeSession } from '../results/session.ts';
import { type BenchModel, findSubjects, refusalText, type Wanted } from '../runtimes.ts';
import { webRuntimes } from '../runtimes-web.ts';
import { type Soak, soak } from '../soak.ts';
import { FILES, type PhoneMessage, type PhoneSetup } from './setup.ts';
import { titleOf } from './words.ts';

const tell = (message: PhoneMessage): void => postMessage(message);
const MOST_THREADS = 8;

async function get(base: URL, path: string): Promise<Response> {
  const response = await fetch(new URL(path, base));
  if (!response.ok) throw new UserError(`${path} can't be loaded (${response.status}).`, '');
  return response;
}

async function openModel(base: URL, { form, dims }: PhoneSetup): Promise<BenchModel> {
  const bytes = async (path: string): Promise<Uint8Array> =>
    new Uint8Array(await (await get(base, path)).arrayBuffer());
  const graph = (await (await get(base, FILES.graph)).json()) as Graph;
  const { tensors: state } = decodeSafetensors(await bytes(FILES.weights));
  const { shapes } = bind(graph, dims);
  const feeds = Object.fromEntries(graph.inputs.map(({ name }) => [name, patternImage(shapes.get(name)!)]));
  const files = new Map<string, Promise<Uint8Array>>();
  const once = (path: string): Promise<Uint8Array> => {
    const known = files.get(path) ?? bytes(path);
    files.set(path, known);
    return known;
  };
  // Runtimes may keep or detach what they are given.
  const copy = async (path: string): Promise<Uint8Array> => (await once(path)).slice();
  return { name: form, graph, state, dims, feeds, onnx: () => copy(FILES.onnx), tflite: () => copy(FILES.tflite) };
}

function wantedOf({ runtimes, threads }: PhoneSetup, model: BenchModel): Wanted[] {
  const cores = Math.min(navigator.hardwareConcurrency ?? 1, MOST_THREADS);
  const counts = [...new Set(threads.map((count) => (count === 'auto' ? cores : count)))];
  return runtimes.flatMap((key) =>
    // A graphics card has no threads to choose.
    (/web(gpu|nn)$/.test(key) ? [1] : counts).map((count): Wanted => ({ key, threads: count, model })),
  );
}

async function run(base: URL, setup: PhoneSetup): Promise<void> {
  tell({ type: 'status', text: 'Loading the model' });
  const model = await openModel(base, setup);
  tell({ type: 'status', text: 'Loading runtimes' });
  const { subjects, notes } = await findSubjects(webRuntimes(base, setup.missing), wantedOf(setup, model));
  const opened: Subject[] = [];
  const measurements = await measure(subjects, setup.protocol, {
    onOpen(subject) {
      opened.push(subject);
      tell({ type: 'status', text: `Starting ${titleOf(subject)} (${opened.length} of ${subjects.length})` });
    },
    onRefused: (subject, error) => notes.push(refusalText(titleOf(subject), error).slice(0, 380)),
    onRound(done, total) {
      if (done === 1) tell({ type: 'status', text: `Measuring ${subjects.length === 1 ? 'it' : 'them in turn'}` });
      tell({ type: 'progress', done, total });
    },
  });
  const best = measurements.length > 0 ? measurements.reduce((a, b) => (b.mean < a.mean ? b : a)) : undefined;
  const soaks: Soak[] = [];
  const champion = subjects.find(({ key, threads }) => key === best?.key && threads === best.threads);
  if (champion && setup.soakSeconds > 0) {
    const seconds = setup.soakSeconds;
    tell({ type: 'status', text: `Running ${titleOf(champion)} without a pause, to see what heat does` });
    soaks.push(
      await soak(champion, {
        seconds,
        onWindow: ({ to }) => tell({ type: 'progress', done: Math.min(to, seconds), total: seconds }),
      }),
    );
  }
  const device = await describeBrowser();
  tell({
    type: 'done',
    session: makeSession({ model: setup.model, protocol: setup.protocol, device, measurements, soaks, notes }),
  });
}

addEventListener('message', ({ data }: MessageEvent<{ base: string; setup: PhoneSetup }>) => {
  run(new URL(data.base), data.setup).catch((error: unknown) => {
    tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
  });
});
