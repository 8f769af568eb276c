/** Parameters that are a formula of their name and index, as test/golden/zoo.py has it; without a test runner. */
import { hashText } from '../../../src/core/random.ts';
import { type StateDict, sizeOf, type Tensor } from '../../../src/core/tensor.ts';
import type { Graph, ParamSpec } from '../../../src/graph/graph.ts';

/** float32 numbers around `center`, up to `scale` away: FNV-1a of the name, murmur3's finalizer of that and the index. */
export function formula(name: string, shape: readonly number[], center = 0, scale = 1): Tensor {
  const start = hashText(name);
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    let h = (start + Math.imul(i, 0x9e3779b9)) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    data[i] = center + scale * ((h >>> 0) / 2 ** 31 - 1);
  }
  return { shape, data };
}

function paramByFormula(name: string, { shape, role }: ParamSpec): Tensor {
  if (role === 'weight') return formula(name, shape, 0, Math.sqrt(4.5 / sizeOf(shape.slice(1))));
  if (role === 'running_var') return formula(name, shape, 1, 0.2);
  // Half, as several branches are added up.
  return role === 'norm_weight' ? formula(name, shape, 0.5, 0.2) : formula(name, shape, 0, 0.1);
}

/** All parameters of a graph. */
export function stateByFormula(graph: Graph): StateDict {
  return new Map(Object.entries(graph.params).map(([name, spec]) => [name, paramByFormula(name, spec)]));
}

/** What zoo.json holds of a network. */
export interface GoldenNet {
  readonly params: number;
  readonly folded: number;
  readonly macs: number;
  readonly train_macs?: number;
  /** Height and width of the image of the logits, where not 48 and 40. */
  readonly size?: readonly [number, number];
  readonly first: readonly number[];
  readonly norm: number;
}

/** Networks whose name here is not that of the package. */
const PACKAGE_NAMES: Readonly<Record<string, string>> = { mnasnet_a1: 'semnasnet_100' };

/** The golden entry of a network of the zoo; MobileOne's own counts and outputs are tested elsewhere. */
export function goldenOf(nets: Readonly<Record<string, GoldenNet>>, name: string): GoldenNet | undefined {
  return nets[PACKAGE_NAMES[name] ?? name];
}
