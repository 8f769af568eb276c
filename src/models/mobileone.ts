/**
 * MobileOne (paper §3.2, Table 7; layers as in the released code): a dense 3×3 stem, then four stages of
 * depthwise 3×3 + pointwise pairs, all RepConvs. S0–S4 are rows of a table; every number can be set by hand.
 */
import { UserError } from '../core/errors.ts';
import { graphBuilder } from '../graph/build.ts';
import type { Graph } from '../graph/graph.ts';
import type { RepConvAttrs } from '../graph/kinds.ts';
import { classifierHead, pooledFeatures } from './heads.ts';
import { seBlock, seChannels } from './squeeze-excite.ts';

export type Four = readonly [number, number, number, number];

/** timm parameter names where timm has them. */
export interface MobileOneConfig {
  /** Blocks (depthwise + pointwise pairs) of the four stages. */
  readonly depths: Four;
  /** Width multipliers of the stages' 64, 128, 256, 512 channels. */
  readonly widths: Four;
  /** k, the number of conv branches of every block but the stem (paper §3.2.1, Table 6). The stem has one. */
  readonly num_conv_branches: number;
  /** How many of a stage's last blocks carry squeeze-and-excite. */
  readonly se_blocks: Four;
  /** SE reduces C channels to C/16, rounded to this divisor (timm 8; Apple's code 1, truncated). */
  readonly rd_divisor: number;
  /** 0: no classifier; the graph ends in the pooled features, as timm's does. */
  readonly num_classes: number;
  readonly in_chans: number;
}

export type Variant = 's0' | 's1' | 's2' | 's3' | 's4';

const defaults = {
  depths: [2, 8, 10, 1],
  se_blocks: [0, 0, 0, 0],
  rd_divisor: 8,
  num_classes: 1000,
  in_chans: 3,
} as const;

/** The released variants (Apple's code; same in timm, CoreNet and MMPretrain). */
export const VARIANTS: Readonly<Record<Variant, MobileOneConfig>> = {
  s0: { ...defaults, widths: [0.75, 1, 1, 2], num_conv_branches: 4 },
  s1: { ...defaults, widths: [1.5, 1.5, 2, 2.5], num_conv_branches: 1 },
  s2: { ...defaults, widths: [1.5, 2, 2.5, 4], num_conv_branches: 1 },
  s3: { ...defaults, widths: [2, 2.5, 3, 4], num_conv_branches: 1 },
  s4: { ...defaults, widths: [3, 3.5, 3.5, 4], num_conv_branches: 1, se_blocks: [0, 0, 5, 1] },
};

const STAGE_CHANNELS: Four = [64, 128, 256, 512];
export const BN_EPSILON = 1e-5;

/** Attributes of one RepConv block, with the scale and skip branches the released code gives it. */
export function blockAttrs(
  in_chs: number,
  out_chs: number,
  kernel_size: 1 | 3,
  options: { stride?: 1 | 2; groups?: number; num_conv_branches?: number; dilation?: number } = {},
): RepConvAttrs {
  const { stride = 1, groups = 1, num_conv_branches = 1, dilation = 1 } = options;
  return {
    in_chs,
    out_chs,
    kernel_size,
    stride,
    dilation,
    groups,
    num_conv_branches,
    scale: kernel_size > 1,
    skip: in_chs === out_chs && stride === 1,
    epsilon: BN_EPSILON,
    training: false,
  };
}

/** Channels of the stem and of the four stages; fractions are truncated as in the released code. */
export function stageChannels(config: MobileOneConfig): { stem: number; stages: number[] } {
  const stages = STAGE_CHANNELS.map((channels, i) => Math.floor(channels * config.widths[i]!));
  return { stem: Math.min(64, stages[0]!), stages };
}

/** Number of parts that `stageOf` tells apart. */
export const STAGES = 6;

/** Where in the network a node or parameter lies: 0 the stem, 1 to 4 the stages, 5 the head. */
export function stageOf(path: string): number {
  const stage = /^stages\.(\d)/.exec(path);
  return stage ? 1 + Number(stage[1]) : path.startsWith('stem') ? 0 : STAGES - 1;
}

/** Checks a configuration that a user may have written; throws a UserError. */
export function checkConfig(config: MobileOneConfig): void {
  for (const [name, least] of [
    ['num_conv_branches', 1],
    ['num_classes', 0],
    ['in_chans', 1],
  ] as const) {
    if (!Number.isInteger(config[name]) || config[name] < least)
      throw new UserError(`${name} must be a whole number of at least ${least}, got ${config[name]}.`);
  }
  for (let i = 0; i < 4; i++) {
    const [depth, width, se] = [config.depths[i]!, config.widths[i]!, config.se_blocks[i]!];
    if (!Number.isInteger(depth) || depth < 1)
      throw new UserError(`depths must be four whole numbers of at least 1, got ${config.depths}.`);
    if (!(Math.floor(STAGE_CHANNELS[i]! * width) >= 1 && width <= 64))
      throw new UserError(`widths must be four positive multipliers, got ${config.widths}.`);
    if (!Number.isInteger(se) || se < 0 || se > depth)
      throw new UserError(`se_blocks must be between 0 and the depth of each stage, got ${config.se_blocks}.`);
  }
}

/**
 * The training-form graph: image `[N, in_chans, H, W]` → logits `[N, num_classes]`.
 * Outputs: `logits` (without classes `features` `[N, C]`); with `features` also `features.<stride>` for strides 2, 4, 8, 16, 32.
 */
export function mobileOne(config: MobileOneConfig, options: { name?: string; features?: boolean } = {}): Graph {
  const { name = 'mobileone', features = false } = options;
  checkConfig(config);
  const { stem, stages } = stageChannels(config);
  const k = config.num_conv_branches;
  const g = graphBuilder(name);
  const outputs: Record<string, string> = {};

  const block = (path: string, x: string, attrs: RepConvAttrs, se: boolean): string => {
    let y = g.repConv(path, x, attrs);
    if (se) y = seBlock(g, `${path}.attn`, y, attrs.out_chs, seChannels(attrs.out_chs, config.rd_divisor));
    return g.op('Relu', `${path}.act`, [y], {});
  };

  let x = g.input('input', ['N', config.in_chans, 'H', 'W']);
  x = block('stem', x, blockAttrs(config.in_chans, stem, 3, { stride: 2 }), false);
  if (features) outputs['features.2'] = x;
  let channels = stem;
  config.depths.forEach((depth, s) => {
    for (let b = 0; b < depth; b++) {
      const se = b >= depth - config.se_blocks[s]!;
      const stride = b === 0 ? 2 : 1;
      const path = `stages.${s}`;
      const depthwise = blockAttrs(channels, channels, 3, { stride, groups: channels, num_conv_branches: k });
      x = block(`${path}.${2 * b}`, x, depthwise, se);
      x = block(`${path}.${2 * b + 1}`, x, blockAttrs(channels, stages[s]!, 1, { num_conv_branches: k }), se);
      channels = stages[s]!;
    }
    if (features) outputs[`features.${4 << s}`] = x;
  });
  if (config.num_classes === 0) outputs.features = pooledFeatures(g, 'head', x);
  else outputs.logits = classifierHead(g, 'head', x, channels, config.num_classes);
  return g.build(outputs);
}
