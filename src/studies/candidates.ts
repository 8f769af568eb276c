/** Candidates of a study: those of the zoo, the choice among them by their names, and what is known of one without weights. */
import { closestMatch, UserError } from '../core/errors.ts';
import { bind } from '../graph/bind.ts';
import { type Cost, cost } from '../graph/cost.ts';
import type { Graph } from '../graph/graph.ts';
import { expandBranches } from '../graph/passes/branches.ts';
import { fuseGraph } from '../graph/passes/fuse.ts';
import { ZOO } from '../models/zoo/registry.ts';
import type { Candidate } from './study.ts';

/** The network that is measured in every group, to tell how fast the machine was just then. */
export const REFERENCE = 'mobileone_s0';

/** What `--quick` measures: small networks of most families. */
export const QUICK_NETS: readonly string[] = [
  ...['mobilenetv1_100', 'mobilenetv2_100', 'mobilenetv3_small_100', 'mobilenetv3_large_100', 'mnasnet_a1'],
  ...['efficientnet_b0', 'shufflenet_v2_x1_0', 'mixnet_s', 'mobileone_s0', 'mobileone_s1'],
];

/** Side of the image that a network of the zoo is published for, in pixels. */
export function zooSize(name: string): number {
  return ZOO[name]!.size ?? 224;
}

/** A network of the zoo, fused, at the size it is published for. */
export function zooCandidate(name: string): Candidate {
  return { name, size: zooSize(name), build: () => ZOO[name]!.build() };
}

/** Of `names` those that `--nets` asks for, all without it; throws a UserError with the nearest name for one that is not there. */
export function wantedOf(names: readonly string[], nets: readonly string[] | undefined): readonly string[] {
  if (!nets) return names;
  for (const net of nets) {
    if (names.includes(net)) continue;
    const near = closestMatch(net, names);
    throw new UserError(
      `This study has no network "${net}".`,
      `${near ? `Did you mean ${near}? ` : ''}Choose from ${names.join(', ')}.`,
      2,
    );
  }
  return names.filter((name) => nets.includes(name));
}

/** The network of the zoo that a name of `mobileone bench` stands for: `s0` is `mobileone_s0`. */
export function zooNameOf(name: string): string | undefined {
  const lower = name.toLowerCase();
  return [lower, `mobileone_${lower}`].find((one) => Object.hasOwn(ZOO, one));
}

export type Family = 'MobileOne' | 'with attention' | 'convolutional';

/** Whether a network of the zoo is MobileOne, which figures emphasize. */
export const isMobileOne = (name: string): boolean => name.startsWith('mobileone_');

/** To which family a network of the zoo belongs, as figures color it. */
export function familyOf(name: string): Family {
  if (isMobileOne(name)) return 'MobileOne';
  return ZOO[name]!.build().nodes.some(({ kind }) => /Softmax|MatMul|Attention/.test(kind))
    ? 'with attention'
    : 'convolutional';
}

/** The graph that is measured: fused, or with its branches written out. */
export function measuredGraph({ build, form }: Candidate): Graph {
  return form === 'train' ? expandBranches(build()) : fuseGraph(build());
}

/** Counts of what is measured, for one image; bytes are those of float32. */
export function countsOf(candidate: Candidate): Cost {
  const { size = 224 } = candidate;
  return cost(bind(measuredGraph(candidate), { N: 1, H: size, W: size }));
}
