/** Random networks that behave like trained ones: no layer is degenerate, and the answer depends on the image. */

import { hashText, type Random, random } from '../../src/core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { rowsOf } from '../../src/evaluate/metrics.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { branchesOf } from '../../src/graph/rep-conv.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne } from '../../src/models/mobileone.ts';
import { DEFAULT_PREPROCESSING, type Engine, type ModelFile, withPreprocess } from '../../src/node.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { formRunner } from '../../src/reparam/prove.ts';
import { calibrationGraph, recalibrate } from '../../src/train/recalibrate.ts';

/** Standard deviation of the logits over images. */
const SPREAD = 2;

/**
 * A network with seeded weights, whose BatchNorm statistics and classifier are measured on images (uint8 batches `[N, S, S, 3]`): the
 * logits of every class have a mean of 0 over them, and all logits a deviation of 2.
 */
export async function livelyModel(
  config: MobileOneConfig,
  engine: Engine,
  images: readonly Tensor[],
  size: number,
  seed = 0,
): Promise<ModelFile> {
  const graph = mobileOne(config);
  const preprocessing = { ...DEFAULT_PREPROCESSING, size };
  const [N, H, W] = images[0]!.shape as [number, number, number];
  const drawn = drawnState(graph, seed);
  const calibration = calibrationGraph(withPreprocess(graph, preprocessing));
  const program = await engine.compile(calibration, { dims: { N, H, W } });
  const batches = images.map((one) => ({ images: one, count: N }));
  const measured = (await recalibrate(program, graph, drawn, batches).finally(() => program.dispose()))!;
  const state = await classified(engine, { graph, state: measured }, images, { preprocessing, seed });
  const classes = Array.from({ length: config.num_classes }, (_, i) => String(i));
  return { config, form: 'train', classes, preprocessing, graph, state, info: {} };
}

const filled = (length: number, draw: () => number): Float32Array => Float32Array.from({ length }, draw);

/**
 * Seeded parameters. Every branch's BatchNorm has its own γ, and β so that most values pass the ReLU: with β around 0 a deep random
 * network is chaotic (each layer enlarges what rounding does by a fifth), which trained ones are not. Squeeze-and-excite keeps its
 * gates between shut and open by weights of deviation 1/√inputs.
 */
function drawnState(graph: Graph, seed: number): Map<string, Tensor> {
  const state = new Map(initialState(graph, seed));
  const draw = (name: string, value: (rng: Random) => number): void => {
    const { shape } = graph.params[name]!;
    const rng = random(seed, hashText(name));
    state.set(name, { shape, data: filled(sizeOf(shape), () => value(rng)) });
  };
  for (const node of graph.nodes) {
    if (node.kind === 'RepConv') {
      const branches = branchesOf(node);
      for (const { norm } of branches) {
        draw(norm.weight, (rng) => (0.5 + rng.uniform()) / Math.sqrt(branches.length));
        draw(norm.bias, (rng) => (1 + 0.3 * rng.normal()) / branches.length);
      }
    } else if (node.kind === 'Conv' || node.kind === 'Gemm') {
      const inputs = graph.params[node.params.weight!]!.shape[1]!;
      draw(node.params.weight!, (rng) => rng.normal() / Math.sqrt(inputs));
    }
  }
  return state;
}

/**
 * The state with a classifier like a trained one: the weights of a class are what the features of one image have beyond the mean, and
 * a little of the others', so that it answers to what tells images apart.
 */
async function classified(
  engine: Engine,
  { graph, state }: Pick<ModelFile, 'graph' | 'state'>,
  images: readonly Tensor[],
  { preprocessing, seed }: Pick<ModelFile, 'preprocessing'> & { readonly seed: number },
): Promise<StateDict> {
  const fused = fuse(graph, state);
  const runner = formRunner(
    engine,
    { ...fused, graph: { ...withPreprocess(fused.graph, preprocessing), outputs: { features: 'head.flatten' } } },
    { output: 'features' },
  );
  const features: Float64Array[] = [];
  for (const image of images) {
    const { shape, data } = await runner.logits(image);
    for (const row of rowsOf(data as Float32Array, shape[1]!, shape[0]!)) features.push(Float64Array.from(row));
  }
  await runner.dispose();
  const mean = features[0]!.map((_, c) => features.reduce((sum, row) => sum + row[c]!, 0) / features.length);
  const beyond = features.map((row) => row.map((value, c) => value - mean[c]!));
  const { shape } = state.get('head.fc.weight')!;
  const rng = random(seed, hashText('head.fc.weight'));
  const weights = Array.from({ length: shape[0]! }, (_, c) => {
    const mixture = beyond.map((_, i) => (i === c % beyond.length ? 1 : 0) + 0.1 * rng.normal());
    return mean.map((_, c) => beyond.reduce((sum, row, i) => sum + mixture[i]! * row[c]!, 0));
  });
  const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const squares = weights.flatMap((weight) => beyond.map((row) => dot(weight, row) ** 2));
  const scale = SPREAD / Math.sqrt(squares.reduce((a, b) => a + b, 0) / squares.length);
  return new Map(state)
    .set('head.fc.weight', {
      shape,
      data: Float32Array.from(
        weights.flatMap((row) => [...row]),
        (v) => v * scale,
      ),
    })
    .set('head.fc.bias', { shape: [shape[0]!], data: Float32Array.from(weights, (row) => -dot(row, mean) * scale) });
}
