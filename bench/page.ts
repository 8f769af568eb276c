/** The sides of an inference in a browser page, one thread, in turn; bundled to build/bench-page.js, posts to /answer. */
import { loadState } from '../src/engine/engine.ts';
import { webWasmEngine } from '../src/engine/wasm/web.ts';
import type { SideSpec } from './spec.ts';
import { benchSubject } from './subject.ts';

/** What a side answers. */
export interface PageResult {
  readonly name: string;
  readonly runtime: string;
  readonly times: number[];
  readonly outputs: number[];
}

interface Side {
  readonly name: string;
  readonly runtime: string;
  run(): Promise<ArrayLike<number>>;
}

const { spec, rounds } = (await (await fetch('/setup.json')).json()) as { spec: SideSpec; rounds: number };
const subject = benchSubject(spec);
const bytesOf = async (path: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(path)).arrayBuffer());
const { data, shape } = subject.feeds.input!;
const [n, c, h, w] = shape as [number, number, number, number];

async function ours(): Promise<Side> {
  const engine = await webWasmEngine({ kernels: '/dist/kernels/', threads: 1 });
  const program = await engine.compile(subject.graph, { dims: subject.dims });
  loadState(program, subject.state);
  return {
    name: 'ours',
    runtime: `mobileone ${engine.capabilities().description}`,
    run: async () => (await program.run(subject.feeds)).logits!.data,
  };
}

async function onnxRuntime(): Promise<Side> {
  const ort = await import('onnxruntime-web/wasm');
  ort.env.wasm.wasmPaths = '/node_modules/onnxruntime-web/dist/';
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(await bytesOf('/model.onnx'));
  const input = new ort.Tensor('float32', Float32Array.from(data), [...shape]);
  return {
    name: 'onnxruntime-web',
    runtime: `onnxruntime-web ${ort.env.versions.web}`,
    run: async () => (await session.run({ input })).logits!.data as Float32Array,
  };
}

async function liteRt(): Promise<Side> {
  const litert = await import('@litertjs/core');
  await litert.loadLiteRt('/node_modules/@litertjs/core/wasm/', { threads: false });
  const model = await litert.loadAndCompile(await bytesOf('/model.tflite'), { accelerator: 'wasm' });
  const image = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const [at, pixel] = [Math.floor(i / (h * w)), i % (h * w)];
    image[(Math.floor(at / c) * h * w + pixel) * c + (at % c)] = data[i]!;
  }
  return {
    name: 'litert',
    runtime: 'LiteRT.js 2.5.3 (wasm, 1 thread)',
    run: async () => {
      const input = new litert.Tensor(image, [n, h, w, c]);
      const { logits } = await model.run({ input });
      const values = (await logits!.data()) as Float32Array;
      const copy = Float32Array.from(values);
      input.delete();
      logits!.delete();
      return copy;
    },
  };
}

const results: PageResult[] = [];
const notes: string[] = [];
const sides: Side[] = [];
for (const open of [ours, onnxRuntime, liteRt]) {
  try {
    sides.push(await open());
  } catch (error) {
    notes.push(`${open.name}: ${String(error)}`);
  }
}
for (const side of sides) {
  const outputs = Array.from(await side.run()).slice(0, 1000);
  for (let i = 0; i < 20; i++) await side.run(); // until the optimizing compiler is done
  results.push({ name: side.name, runtime: side.runtime, times: [], outputs });
}
for (let round = 0; round < rounds; round++) {
  for (const [i, side] of sides.entries()) {
    for (let run = 0; run < spec.runs; run++) {
      const start = performance.now();
      await side.run();
      results[i]!.times.push(performance.now() - start);
    }
  }
}
await fetch('/answer', { method: 'POST', body: JSON.stringify({ results, notes, agent: navigator.userAgent }) });
