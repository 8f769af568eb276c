/** What a bare name stands for where a network is described or measured: a variant of MobileOne, or another network of the zoo. */
import { existsSync } from 'node:fs';
import type { Benchable } from '../bench/subjects-node.ts';
import { closestMatch, UserError } from '../core/errors.ts';
import { DEFAULT_PREPROCESSING } from '../images/preprocess.ts';
import { initialState } from '../models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS } from '../models/mobileone.ts';
import { isVariant, modelConfig } from '../models/registry.ts';
import { isZooNet, SIZE, ZOO, type ZooNet, zooNet } from '../models/zoo/registry.ts';

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

/** The side in pixels of a network's images: the one asked for, or its own. Throws a UserError for one that it can't take. */
export function imageSide(name: string, asked: number | undefined): number {
  const { size: own = SIZE, sides } = zooNet(name);
  const size = asked ?? own;
  if (!sides) return size;
  if ('only' in sides && size !== sides.only)
    throw new UserError(`${name} takes images of ${sides.only} × ${sides.only} only.`, 'Leave --size away.', 2);
  if ('multiplesOf' in sides && size % sides.multiplesOf !== 0)
    throw new UserError(
      `${name} takes images whose sides are multiples of ${sides.multiplesOf} pixels, and not ${size}.`,
      `Give such a --size, e.g. ${own}.`,
      2,
    );
  return size;
}

/** A named network with random weights, to be measured: latency does not depend on them. Images are of the size asked for, or its own. */
export function untrainedNet(name: string, asked?: number): Benchable {
  const named = namedNet(name);
  const graph = 'net' in named ? zooNet(named.net).build() : mobileOne(named.config);
  const form = graph.nodes.some(({ kind }) => kind === 'RepConv') ? 'train' : 'fused';
  const state = initialState(graph, 0);
  const size = 'net' in named ? imageSide(named.net, asked) : (asked ?? SIZE);
  const preprocessing = { ...DEFAULT_PREPROCESSING, size };
  return { config: { in_chans: 3 }, graph, state, form, preprocessing };
}

/** Names of the zoo that are no variants. */
const others = (): string[] => Object.keys(ZOO).filter((name) => !isVariant(name));

const describeSides = (sides: NonNullable<ZooNet['sides']>): string =>
  'only' in sides ? `${sides.only} × ${sides.only} only` : `sides that are multiples of ${sides.multiplesOf} pixels`;

/** What was published of a network, for people: `published: 3.4 M parameters, …`. */
export function describePublished(name: string): string[] {
  const { published, follows, differs, sides } = zooNet(name);
  const { params, macs, top1, source } = published;
  return [
    `published: ${params} M parameters, ${macs} M MACs, top-1 ${top1.toFixed(1)} % (${source})`,
    `layers: ${follows}`,
    ...(sides ? [`images: ${describeSides(sides)}`] : []),
    ...(differs ? [`differs from the published counts: ${differs.why}`] : []),
  ];
}
