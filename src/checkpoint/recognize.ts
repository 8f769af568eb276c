/** Reads the architecture of a checkpoint off its names and shapes (timm naming), and compares it with a graph. */
import { UserError } from '../core/errors.ts';
import { type Shape, sizeOf } from '../core/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import { type Four, type MobileOneConfig, VARIANTS, type Variant } from '../models/mobileone.ts';
import { seChannels } from '../models/squeeze-excite.ts';

/** `train`: the branches are there. `fused`: one convolution a block. */
export type Form = 'train' | 'fused';

/** Tensors of which only the shapes matter. */
type Shapes = ReadonlyMap<string, { readonly shape: Shape }>;

const STAGES = [0, 1, 2, 3] as const;
const STAGE_CHANNELS: Four = [64, 128, 256, 512];
/** Divisors of the SE channels to try: timm's, Apple's code's, CoreNet's. */
const DIVISORS = [8, 1, 32, 16, 4, 2];
const LISTED = 10;
/** The released ones have at most 4. */
const MOST_WIDTH = 64;

function notMobileOne(why: string): UserError {
  return new UserError(
    `This file does not hold a MobileOne model: ${why}.`,
    "Give a whole file of MobileOne's weights, with the parameter names of Apple's code, timm, MMPretrain or CoreNet.",
  );
}

/** Reads the form and the configuration off a state's names and shapes; throws a UserError when they make no MobileOne. */
export function recognize(state: Shapes): { form: Form; config: MobileOneConfig } {
  const form = formOf(state);
  const config = configOf(state, form);
  const variant = variantOf(config, form);
  // How many branches were fused can't be seen; of a released variant it is known.
  return { form, config: variant && form === 'fused' ? { ...config, ...pickBranches(VARIANTS[variant]) } : config };
}

const pickBranches = ({ num_conv_branches }: MobileOneConfig): Pick<MobileOneConfig, 'num_conv_branches'> => ({
  num_conv_branches,
});

function formOf(state: Shapes): Form {
  const names = [...state.keys()];
  const fused = names.some((name) => name.includes('.reparam_conv.'));
  const train = names.some((name) => /\.(conv_kxk|conv_scale|identity)\./.test(name));
  if (fused && train) throw notMobileOne('it has both branches and fused convolutions');
  if (!fused && !train) throw notMobileOne('it has neither branches nor fused convolutions');
  return fused ? 'fused' : 'train';
}

/** How many blocks `stages.<stage>.0 …` a state has, counted without gaps. */
function countBlocks(has: (prefix: string) => boolean, stage: number): number {
  let count = 0;
  while (has(`stages.${stage}.${count}`)) count++;
  return count;
}

function configOf(state: Shapes, form: Form): MobileOneConfig {
  const prefixes = new Set([...state.keys()].map((name) => /^stages\.\d+\.\d+/.exec(name)?.[0]));
  const kernel = form === 'fused' ? 'reparam_conv.weight' : 'conv_kxk.0.conv.weight';
  const shape = (name: string): readonly number[] => {
    const found = state.get(name)?.shape;
    if (!found) throw notMobileOne(`"${name}" is missing`);
    return found;
  };
  const depths = STAGES.map((s) => Math.floor(countBlocks((prefix) => prefixes.has(prefix), s) / 2));
  const stage = depths.indexOf(0);
  if (stage >= 0) throw notMobileOne(`it has no block in stage ${stage}`);
  const channels = STAGES.map((s) => shape(`stages.${s}.1.${kernel}`)[0] ?? 0);
  const inputs = shape(`stem.${kernel}`)[1] ?? 0;
  const widths = channels.map((count, s) => count / STAGE_CHANNELS[s as 0 | 1 | 2 | 3]);
  if (inputs < 1 || !widths.every((width) => width > 0 && width <= MOST_WIDTH))
    throw notMobileOne(`its stages have ${channels.join(', ')} channels and its images ${inputs}`);
  const reduced = STAGES.flatMap((s) =>
    Array.from({ length: depths[s]! }, (_, b) => state.get(`stages.${s}.${2 * b + 1}.attn.fc1.weight`)?.shape),
  ).filter((found) => found !== undefined);
  let branches = 1;
  while (state.has(`stages.0.0.conv_kxk.${branches}.conv.weight`)) branches++;
  return {
    depths: depths as unknown as Four,
    widths: widths as unknown as Four,
    num_conv_branches: branches,
    se_blocks: STAGES.map(
      (s) => [...Array(depths[s]!).keys()].filter((b) => state.has(`stages.${s}.${2 * b + 1}.attn.fc1.weight`)).length,
    ) as unknown as Four,
    rd_divisor: DIVISORS.find((d) => reduced.every(([r, c]) => r === seChannels(c!, d))) ?? 8,
    num_classes: state.get('head.fc.weight')?.shape[0] ?? 0,
    in_chans: inputs,
  };
}

const same = (a: Four, b: Four): boolean => a.every((value, i) => value === b[i]);

/**
 * The released variant that a configuration is, if any: classes and image channels may differ, and k counts only
 * in the train form.
 */
export function variantOf(config: MobileOneConfig, form: Form): Variant | undefined {
  const matches = (other: MobileOneConfig): boolean =>
    same(config.depths, other.depths) &&
    same(config.widths, other.widths) &&
    same(config.se_blocks, other.se_blocks) &&
    (form === 'fused' || config.num_conv_branches === other.num_conv_branches);
  return (Object.keys(VARIANTS) as Variant[]).find((name) => matches(VARIANTS[name]));
}

/**
 * Checks that a state has exactly a graph's parameters in their shapes; throws a UserError that lists what differs
 * (at most ten names, then a count), in the names of the file.
 */
export function checkState(graph: Graph, state: Shapes, nameOf: (name: string) => string = (name) => name): void {
  const text = (shape: readonly number[]): string => `[${shape.join(', ')}]`;
  const differences = [
    ...Object.entries(graph.params).flatMap(([name, { shape }]) => {
      const found = state.get(name);
      if (!found) return [`${nameOf(name)} ${text(shape)} is missing`];
      const equal = found.shape.length === shape.length && found.shape.every((d, i) => d === shape[i]);
      return equal ? [] : [`${nameOf(name)} is ${text(found.shape)}, expected ${text(shape)}`];
    }),
    ...[...state].flatMap(([name, { shape }]) =>
      Object.hasOwn(graph.params, name) ? [] : [`${nameOf(name)} ${text(shape)} is unknown`],
    ),
  ];
  if (differences.length === 0) return;
  const more = differences.length - LISTED;
  throw new UserError(
    `The weights do not fit the model: ${differences.length} of ${Object.keys(graph.params).length} parameters differ.\n` +
      differences
        .slice(0, LISTED)
        .map((line) => `  ${line}\n`)
        .join('') +
      (more > 0 ? `  … and ${more} more` : ''),
    'Check that the file is whole and that variant, form and number of classes are those it was made with.',
  );
}

/** Refuses a configuration whose graph would have far more parameters than the file has tensors. */
export function checkPlausible(config: MobileOneConfig, form: Form, state: Shapes): void {
  const { depths, num_conv_branches, num_classes } = config;
  const blocks = depths.reduce((sum, depth) => sum + 2 * depth, 0);
  const values = [...state.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const branches = form === 'train' ? blocks * num_conv_branches : blocks;
  if (branches > state.size || num_conv_branches > 1000 || num_classes > values) {
    throw notMobileOne('its description asks for more parameters than it has');
  }
}
