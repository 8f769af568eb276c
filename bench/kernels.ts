/**
 * GFLOPS of the engine's kernels on S0's layers, one thread, against the peak measured in the same process:
 * `node build/bench-kernels.js 128|256`. Prints one JSON object a line: kernel, shape, gflops, peak.
 */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import * as op from '../kernels/opcodes.ts';
import { compileKernels } from '../src/engine/wasm/compile-node.ts';
import { encode, makeEmitter } from '../src/engine/wasm/emitter.ts';
import { planMemory } from '../src/engine/wasm/memory.ts';

const wide = process.argv[2] === '256';
const kernels = (await compileKernels(wide ? 'wide' : 'relaxed')) ?? (await compileKernels('baseline'))!;
const ROUNDS = 25;
const BATCH = 4;

/** The fastest of many runs of one instruction, in milliseconds. */
function time(fill: (emitter: ReturnType<typeof makeEmitter>['emitter']) => void): number {
  const { emitter, finish } = makeEmitter(1);
  fill(emitter);
  const { main, buffers } = finish();
  const { total } = planMemory(buffers);
  const pages = Math.ceil((total + 4096) / 65536);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  new Float32Array(memory.buffer, 1024, (total >> 2) - 256).fill(0.5);
  encode(main, memory.buffer, total);
  const best = [6, 4].map((tile) => {
    const { run, setTile } = kernels.instantiate(memory);
    setTile(tile);
    let fastest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < ROUNDS; i++) {
      const start = performance.now();
      run(total, 1, 0, 1);
      fastest = Math.min(fastest, performance.now() - start);
    }
    return fastest;
  });
  return Math.min(...best);
}

/** GFLOPS of multiply-adds from registers alone. */
function measurePeak(): number {
  for (const flag of ['liftoff', 'wasm-lazy-compilation']) setFlagsFromString(`--no-${flag}`);
  if (wide) setFlagsFromString('--experimental-wasm-revectorize');
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync('build/peak.wasm')));
  const rounds = 300_000;
  return Math.max(
    ...[5, 6, 10, 12].map((pairs) => {
      const run = exports[`peak${pairs}`] as (at: number, n: number) => void;
      let best = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 10; i++) {
        const start = performance.now();
        run(1024, rounds);
        best = Math.min(best, performance.now() - start);
      }
      return (rounds * 2 * pairs * 8) / best / 1e6;
    }),
  );
}

const peak = measurePeak();
const tell = (kernel: string, shape: string, flops: number, ms: number): void =>
  console.log(JSON.stringify({ kernel, shape, gflops: flops / ms / 1e6, peak, build: kernels.build }));

for (const [K, O, side] of [
  [48, 48, 56],
  [48, 128, 28],
  [128, 128, 28],
  [128, 256, 14],
  [256, 256, 14],
  [256, 1024, 7],
] as const) {
  const P = BATCH * side * side;
  const shape = `${K}→${O} at ${side} px`;
  const product = 2 * P * K * O;
  tell(
    'pointwise forward',
    shape,
    product,
    time((e) => e.emit(op.GEMM, e.scratch(P * K), K, e.scratch(K * O), e.zeros(O), e.scratch(P * O), O, P, K, O, 1)),
  );
  tell(
    'pointwise input gradient, both operands',
    shape,
    2 * P * K * (O + K),
    time((e) => {
      const x = e.scratch(P * K);
      e.emit(
        op.GEMM_INPUT_GRAD,
        e.scratch(P * O),
        e.scratch(K * O),
        x,
        e.scratch(K * K),
        e.zeros(K),
        e.scratch(P * K),
        P,
        K,
        O,
        x,
      );
    }),
  );
  const pack = (e: ReturnType<typeof makeEmitter>['emitter'], Ca: number, Cb: number) =>
    Math.min(Ca, Cb) >= 256 ? e.scratch((Ca + Cb + 8) * 128) : 0;
  tell(
    'weight gradient',
    shape,
    product,
    time((e) =>
      e.emit(
        op.CORRELATE,
        e.scratch(P * O),
        e.scratch(P * K),
        e.scratch(O * K),
        0,
        e.scratch(O * K),
        P,
        O,
        K,
        0,
        pack(e, O, K),
      ),
    ),
  );
  tell(
    'moments (half)',
    shape,
    P * K * K,
    time((e) => {
      const x = e.scratch(P * K);
      e.emit(op.CORRELATE, x, x, e.scratch(K * K), e.scratch(K), e.scratch(K * K), P, K, K, 1, pack(e, K, K));
    }),
  );
}
for (const [C, side, stride] of [
  [48, 112, 2],
  [48, 56, 1],
  [128, 28, 1],
  [256, 14, 1],
  [256, 14, 2],
] as const) {
  const out = side / stride;
  const outputs = BATCH * out * out * C;
  const floats = BATCH * side * side * C;
  const shape = `${C} channels at ${side} px, stride ${stride}`;
  const scratch = (54 + 4 * (side + 4)) * C;
  tell(
    'depthwise forward',
    shape,
    18 * outputs,
    time((e) =>
      e.emit(
        op.DW_FORWARD,
        e.scratch(floats),
        e.scratch(9 * C),
        e.zeros(C),
        e.scratch(outputs),
        BATCH,
        side,
        side,
        C,
        stride,
        1,
      ),
    ),
  );
  tell(
    'depthwise moments',
    shape,
    2 * (stride === 1 ? 13 : 45) * outputs,
    time((e) =>
      e.emit(
        op.DW_MOMENTS,
        e.scratch(floats),
        BATCH,
        side,
        side,
        C,
        stride,
        e.scratch(54 * C),
        e.scratch(scratch),
        scratch * 4,
      ),
    ),
  );
  tell(
    'depthwise weight gradient',
    shape,
    18 * outputs,
    time((e) =>
      e.emit(
        op.DW_CORRELATE,
        e.scratch(floats),
        e.scratch(outputs),
        BATCH,
        side,
        side,
        C,
        stride,
        e.scratch(10 * C),
        e.scratch(scratch),
        scratch * 4,
      ),
    ),
  );
  const gradScratch = 32 + 6 * (side + 4) * C + 4 * (out + 2) * C;
  tell(
    'depthwise input gradient',
    shape,
    2 * (stride === 1 ? 34 : 73) * outputs,
    time((e) =>
      e.emit(
        op.DW_INPUT_GRAD,
        e.scratch(floats),
        e.scratch(outputs),
        e.scratch(floats),
        e.scratch(9 * C),
        e.scratch(16 * 26 * C),
        BATCH,
        side,
        side,
        C,
        stride,
        1,
        e.scratch(gradScratch),
        gradScratch * 4,
      ),
    ),
  );
}
