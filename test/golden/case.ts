/** A golden case: a folder with `case.json` and three safetensors files made by Apple's or timm's code in float64. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { toTimm } from '../../src/checkpoint/names.ts';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import type { StateDict, Tensor } from '../../src/core/tensor.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { type Four, type MobileOneConfig, mobileOne } from '../../src/models/mobileone.ts';

export interface GoldenCase {
  readonly name: string;
  readonly graph: Graph;
  readonly dims: { readonly N: number; readonly H: number; readonly W: number };
  readonly classes: number;
  /** Soft targets [N, classes]: smoothed labels. */
  readonly target: Tensor;
  readonly loss: number;
  readonly steps: {
    readonly lr: number;
    readonly momentum: number;
    readonly nesterov: boolean;
    readonly weightDecay: number;
    readonly losses: readonly number[];
  };
  readonly paramsTrain: number;
  readonly paramsFused: number;
  /** Parameters and statistics before the step, timm names. */
  readonly train: StateDict;
  readonly fused: StateDict;
  /** Inputs and answers, with timm names behind `grad.`, `after_forward.` and `after_3_steps.`. */
  readonly io: StateDict;
}

interface CaseJson {
  readonly config: {
    readonly num_blocks_per_stage?: Four;
    readonly width_multipliers?: Four;
    readonly use_se?: boolean;
    readonly d?: Four;
    readonly wf?: Four;
    readonly se_blocks?: Four;
    readonly num_conv_branches: number;
  };
  readonly input: readonly [number, number, number, number];
  readonly labels: readonly number[];
  readonly classes: number;
  readonly label_smoothing: number;
  readonly loss: number;
  readonly three_steps: {
    readonly lr: number;
    readonly momentum: number;
    readonly nesterov: boolean;
    readonly weight_decay: number;
    readonly losses: readonly number[];
  };
  readonly params_train: number;
  readonly params_fused: number;
}

/** Apple's code puts SE into the last half of stage 3 and all of stage 4, and truncates its channels; timm rounds to 8. */
function configOf({ config, classes, input }: CaseJson): MobileOneConfig {
  const apple = config.num_blocks_per_stage !== undefined;
  const depths = (config.num_blocks_per_stage ?? config.d)!;
  const appleSe: Four = config.use_se ? [0, 0, Math.floor(depths[2] / 2), depths[3]] : [0, 0, 0, 0];
  return {
    depths,
    widths: (config.width_multipliers ?? config.wf)!,
    num_conv_branches: config.num_conv_branches,
    se_blocks: apple ? appleSe : (config.se_blocks ?? [0, 0, 0, 0]),
    rd_divisor: apple ? 1 : 8,
    num_classes: classes,
    in_chans: input[1],
  };
}

const PREFIXES = ['grad.', 'after_forward.', 'after_3_steps.'];

/** A tensor's name with the parameter inside it in timm's naming. */
function renamed(name: string): string {
  const prefix = PREFIXES.find((candidate) => name.startsWith(candidate));
  return prefix ? prefix + toTimm(name.slice(prefix.length)) : name;
}

async function readTensors(path: string, rename: (name: string) => string): Promise<StateDict> {
  const { tensors } = decodeSafetensors(await readFile(path));
  return new Map([...tensors].map(([name, value]) => [rename(name), value]));
}

/** Reads a case folder. */
export async function readCase(folder: string): Promise<GoldenCase> {
  const json = JSON.parse(await readFile(join(folder, 'case.json'), 'utf8')) as CaseJson;
  const [N, , H, W] = json.input;
  const target = new Float64Array(N * json.classes).fill(json.label_smoothing / json.classes);
  json.labels.forEach((label, n) => {
    target[n * json.classes + label]! += 1 - json.label_smoothing;
  });
  const { lr, momentum, nesterov, weight_decay: weightDecay, losses } = json.three_steps;
  return {
    name: basename(folder),
    graph: mobileOne(configOf(json)),
    dims: { N, H, W },
    classes: json.classes,
    target: { shape: [N, json.classes], data: target },
    loss: json.loss,
    steps: { lr, momentum, nesterov, weightDecay, losses },
    paramsTrain: json.params_train,
    paramsFused: json.params_fused,
    train: await readTensors(join(folder, 'train.safetensors'), toTimm),
    fused: await readTensors(join(folder, 'fused.safetensors'), toTimm),
    io: await readTensors(join(folder, 'io.safetensors'), renamed),
  };
}
