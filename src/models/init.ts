/** Initial parameters: Kaiming normal (fan out) for convolutions, as in MMPretrain and Apple's CoreNet; BN 1 and 0. */
import { hashText, random } from '../core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../core/tensor.ts';
import type { Graph, ParamSpec } from '../graph/graph.ts';

/** Draws every parameter of a graph; each has its own stream, so the same seed and name give the same values. */
export function initialState(graph: Graph, seed: number): StateDict {
  return new Map(Object.entries(graph.params).map(([name, spec]) => [name, initialParam(name, spec, seed)]));
}

function initialParam(name: string, spec: ParamSpec, seed: number): Tensor {
  const data = new Float32Array(sizeOf(spec.shape));
  if (spec.role === 'weight') {
    const rng = random(seed, hashText(name));
    const [outputs, , ...kernel] = spec.shape;
    // Linear layers are small (std 0.01, as torchvision's); a depthwise channel's fan out is its own kernel.
    const depthwise = spec.shape[1] === 1;
    const fanOut = (depthwise ? 1 : outputs!) * sizeOf(kernel);
    const std = spec.std ?? (spec.shape.length === 2 ? 0.01 : Math.sqrt(2 / fanOut));
    for (let i = 0; i < data.length; i++) data[i] = rng.normal() * std;
  } else if (spec.role === 'norm_weight' || spec.role === 'running_var') {
    data.fill(1);
  }
  return { shape: spec.shape, data };
}
