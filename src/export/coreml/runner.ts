/**
 * Core ML files can be run by Apple's devices only. What can be done everywhere is to read the written file back and compute
 * its program with our own engine: that finds wrong weights, attributes and operations, but not what Core ML makes of it.
 */
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { type CoremlModel, fromCoreml } from '../../engine/coreml/from-coreml.ts';
import { type Engine, loadState } from '../../engine/engine.ts';
import type { Graph } from '../../graph/graph.ts';
import { withPreprocess } from '../../models/preprocess.ts';
import type { Runner, RunnerOptions } from '../format.ts';

/** Opens the files under `main` on the engine `wasm` (default) or `reference` (float64). */
export async function openCoreml(
  files: ReadonlyMap<string, Uint8Array>,
  main: string,
  { threads, runtime = 'wasm' }: RunnerOptions = {},
): Promise<Runner> {
  const model = await fromCoreml(files, main);
  const graph = takesBytes(model);
  const engine = await openEngine(runtime, threads);
  const program = await engine.compile(graph, { dims: {} });
  loadState(program, model.state);
  const [{ name, shape }] = graph.inputs as [Graph['inputs'][0]];
  const one = shape.slice(1) as number[];
  return {
    description:
      `the file's program read back and computed by mobileone's ${engine.name} engine ` +
      `(${engine.capabilities().description}); prediction by Core ML itself needs a Mac`,
    async logits({ shape: [n = 0, ...each], data }) {
      if (String(each) !== String(one))
        throw new UserError(
          `The pictures are [${each.join(', ')}], the file takes [${one.join(', ')}].`,
          'Give pictures of the exported size and channels.',
        );
      const length = data.length / n;
      const rows: Tensor[] = [];
      for (let i = 0; i < n; i++) {
        const image = { shape: [1, ...one], data: data.slice(i * length, (i + 1) * length) };
        rows.push((await program.run({ [name]: image })).logits!);
      }
      const classes = rows[0]?.shape[1] ?? 0;
      const logits = new Float32Array(n * classes);
      rows.forEach((row, i) => {
        logits.set(row.data, i * classes);
      });
      return { shape: [n, classes], data: logits };
    },
    dispose: () => program.dispose(),
  };
}

async function openEngine(runtime: string, threads: number | undefined): Promise<Engine> {
  if (runtime === 'reference') return (await import('../../engine/reference/engine.ts')).createReferenceEngine();
  if (runtime !== 'wasm')
    throw new UserError(
      `Core ML files are read back and computed by the engine wasm or reference, not by ${runtime}.`,
      'Leave the runtime out.',
    );
  const { nodeWasmEngine } = await import('../../engine/wasm/node.ts');
  return await nodeWasmEngine(threads === undefined ? {} : { threads });
}

/** The graph from bytes to logits: a file that takes normalized numbers says in its metadata how they are made. */
function takesBytes({ graph, description }: CoremlModel): Graph {
  const { logits } = graph.outputs;
  if (logits === undefined)
    throw new UserError('The file has no output "logits".', 'Check that it is an exported model.');
  const classifier = { ...graph, outputs: { logits } };
  if (graph.inputs[0]!.dtype === 'uint8') return classifier;
  const preprocessing = parsed(description.metadata?.userDefined?.['mobileone.preprocessing']);
  const [, channels] = graph.inputs[0]!.shape;
  const numbers = (value: unknown): number[] =>
    Array.isArray(value) && value.length === channels && value.every(Number.isFinite) ? value : [];
  const { mean, std } = { mean: numbers(preprocessing.mean), std: numbers(preprocessing.std) };
  if (mean.length === 0 || std.length === 0 || graph.inputs[0]!.name !== 'input')
    throw new UserError(
      "The file doesn't say how pictures are normalized for it (mobileone.preprocessing in its metadata).",
      'Export it again.',
    );
  return withPreprocess(classifier, { mean, std });
}

function parsed(text: string | undefined): Record<string, unknown> {
  try {
    return { ...JSON.parse(text ?? '') };
  } catch {
    return {};
  }
}
