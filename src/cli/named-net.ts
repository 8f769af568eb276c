/** What a bare name stands for where a network is described or measured: a variant of MobileOne, or another network of the zoo. */
import { existsSync } from 'node:fs';
import type { Benchable } from '../bench/subjects-node.ts';
import { closestMatch, UserError } from '../core/errors.ts';
import { DEFAULT_PREPROCESSING } from '../images/preprocess.ts';
import { initialState } from '../models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../models/mobileone.ts';
import { isVariant, modelConfig } from '../models/registry.ts';
import { isZooNet, ZOO, zooNet } from '../models/zoo/registry.ts';

export type NamedNet = { readonly config: MobileOneConfig } | { readonly net: string };

/** Whether the user named a network, and not a file or folder. */
export function isBareName(target: string): boolean {
  return !existsSync(target) && !/[/\\.:]/.test(target);
}

/** Looks a name up: variants with or without `mobileone_` before them, and all names of the zoo. Throws a UserError with near names. */
export function namedNet(name: string): NamedNet {
  if (isVariant(name)) return { config: modelConfig(name) };
  const net = [name, `mobileone_${name}`].find(isZooNet);
  if (net) return { net: net.toLowerCase() };
  const near = closestMatch(name, [...Object.keys(VARIANTS), ...Object.keys(ZOO)]);
  throw new UserError(
    `There is no variant or network "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose one of ${[...Object.keys(VARIANTS), ...others()].join(', ')}.`,
  );
}

/** A named network with random weights, to be measured: latency does not depend on them. */
export function untrainedNet(name: string): Benchable {
  const named = namedNet(name);
  const graph = 'net' in named ? zooNet(named.net).build() : mobileOne(named.config);
  const form = graph.nodes.some(({ kind }) => kind === 'RepConv') ? 'train' : 'fused';
  const state = initialState(graph, 0);
  return { config: { in_chans: 3 }, graph, state, form, preprocessing: DEFAULT_PREPROCESSING };
}

/** Names of the zoo that are no variants. */
const others = (): string[] => Object.keys(ZOO).filter((name) => !isVariant(name));

/** What was published of a network, for people: `published: 3.4 M parameters, …`. */
export function describePublished(name: string): string[] {
  const { published, follows, differs } = zooNet(name);
  const { params, macs, top1, source } = published;
  return [
    `published: ${params} M parameters, ${macs} M MACs, top-1 ${top1.toFixed(1)} % (${source})`,
    `layers: ${follows}`,
    ...(differs ? [`differs from the published counts: ${differs.why}`] : []),
  ];
}
