/**
 * Core ML files can be run by Apple's devices only. What can be done everywhere is to read the written file back and compute
 * its program with our own engine: that finds wrong weights, attributes and operations, but not what Core ML makes of it.
 */
import { UserError } from '../../core/errors.ts';
import type { Tensor } from '../../core/tensor.ts';
import { type CoremlModel, fromCoreml } from '../../engine/coreml/from-coreml.ts';
import { type Engine, loadState } from '../../engine/engine.ts';
import type { Graph } from '../../graph/graph.ts';
import { asPlanes } from '../../images/planes.ts';
import type { Preprocessing } from '../../images/preprocess.ts';
import type { Runner, RunnerOptions } from '../format.ts';

/** Opens the files under `main` on the engine `wasm` (default) or `reference` (float64). */
export async function openCoreml(
  files: ReadonlyMap<string, Uint8Array>,
  main: string,
  { threads, runtime = 'wasm' }: RunnerOptions = {},
): Promise<Runner> {
  const model = await fromCoreml(files, main);
  const graph = classifierOf(model);
  const normalization = normalizationOf(model);
  const engine = await openEngine(runtime, threads);
  const program = await engine.compile(graph, { dims: {} });
  loadState(program, model.state);
  const [{ name, shape }] = graph.inputs as [Graph['inputs'][0]];
  const [a, b, c] = shape.slice(1) as [number, number, number];
  // Pictures come as [H, W, C]; numbers are planes.
  const one = normalization ? [b, c, a] : [a, b, c];
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
        const feed = normalization ? asPlanes(image, normalization) : image;
        rows.push((await program.run({ [name]: feed })).logits!);
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

/** The graph from pictures, or from normalized numbers, to logits. */
function classifierOf({ graph }: CoremlModel): Graph {
  const { logits } = graph.outputs;
  if (logits === undefined)
    throw new UserError('The file has no output "logits".', 'Check that it is an exported model.');
  return { ...graph, outputs: { logits } };
}

/** How pictures become the numbers that a file takes, by its metadata; undefined for a file that takes pictures. */
function normalizationOf({ graph, description }: CoremlModel): Pick<Preprocessing, 'mean' | 'std'> | undefined {
  const [{ name, dtype, shape }] = graph.inputs as [Graph['inputs'][0]];
  if (dtype === 'uint8') return undefined;
  const preprocessing = parsed(description.metadata?.userDefined?.['mobileone.preprocessing']);
  const numbers = (value: unknown): number[] =>
    Array.isArray(value) && value.length === shape[1] && value.every(Number.isFinite) ? value : [];
  const { mean, std } = { mean: numbers(preprocessing.mean), std: numbers(preprocessing.std) };
  if (mean.length === 0 || std.length === 0 || name !== 'input')
    throw new UserError(
      "The file doesn't say how pictures are normalized for it (mobileone.preprocessing in its metadata).",
      'Export it again.',
    );
  return { mean, std };
}

function parsed(text: string | undefined): Record<string, unknown> {
  try {
    return { ...JSON.parse(text ?? '') };
  } catch {
    return {};
  }
}
