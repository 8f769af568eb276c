/** A golden case: a folder with `case.json` and three safetensors files made by Apple's or timm's code in float64. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isStepCounter, toTimm } from '../../src/checkpoint/names.ts';
import { checkState, recognize } from '../../src/checkpoint/recognize.ts';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { UserError } from '../../src/core/errors.ts';
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
    readonly use_se?: boolean;
    readonly d?: Four;
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

/**
 * Reads the configuration: widths, SE channels, classes and image channels off the shapes of the weights, as Apple's
 * code and timm round them differently; depths, k and where SE is from `case.json`, which the weights must agree with.
 * Apple's code puts SE into the last half of stage 3 and all of stage 4.
 */
function configOf({ config }: CaseJson, train: StateDict): MobileOneConfig {
  const depths = config.num_blocks_per_stage ?? config.d;
  if (!depths) throw new UserError('case.json gives neither num_blocks_per_stage nor d.');
  const appleSe: Four = config.use_se ? [0, 0, Math.floor(depths[2] / 2), depths[3]] : [0, 0, 0, 0];
  const told = {
    depths,
    num_conv_branches: config.num_conv_branches,
    se_blocks: config.num_blocks_per_stage ? appleSe : (config.se_blocks ?? [0, 0, 0, 0]),
  };
  const { form, config: found } = recognize(train);
  if (form !== 'train') throw new UserError('train.safetensors holds a fused model.');
  for (const key of ['depths', 'num_conv_branches', 'se_blocks'] as const) {
    if (String(told[key]) !== String(found[key]))
      throw new UserError(`By case.json ${key} is ${told[key]}, by train.safetensors ${found[key]}.`);
  }
  return found;
}

const PREFIXES = ['grad.', 'after_forward.', 'after_3_steps.'];

/** A tensor's name with the parameter inside it in timm's naming. */
function renamed(name: string): string {
  const prefix = PREFIXES.find((candidate) => name.startsWith(candidate));
  return prefix ? prefix + toTimm(name.slice(prefix.length)) : name;
}

async function readTensors(path: string, rename: (name: string) => string): Promise<StateDict> {
  const { tensors } = decodeSafetensors(await readFile(path));
  return new Map([...tensors].filter(([name]) => !isStepCounter(name)).map(([name, value]) => [rename(name), value]));
}

function parseCase(text: string): CaseJson {
  try {
    return JSON.parse(text) as CaseJson;
  } catch (error) {
    throw new UserError(`case.json is not JSON: ${(error as Error).message}`);
  }
}

/** Reads a case folder; throws a UserError where its files do not fit each other. */
export async function readCase(folder: string): Promise<GoldenCase> {
  const json = parseCase(await readFile(join(folder, 'case.json'), 'utf8'));
  const [N, , H, W] = json.input;
  const target = new Float64Array(N * json.classes).fill(json.label_smoothing / json.classes);
  json.labels.forEach((label, n) => {
    target[n * json.classes + label]! += 1 - json.label_smoothing;
  });
  const train = await readTensors(join(folder, 'train.safetensors'), toTimm);
  const graph = mobileOne(configOf(json, train));
  checkState(graph, train);
  const { lr, momentum, nesterov, weight_decay: weightDecay, losses } = json.three_steps;
  return {
    name: basename(folder),
    graph,
    dims: { N, H, W },
    classes: json.classes,
    target: { shape: [N, json.classes], data: target },
    loss: json.loss,
    steps: { lr, momentum, nesterov, weightDecay, losses },
    paramsTrain: json.params_train,
    paramsFused: json.params_fused,
    train,
    fused: await readTensors(join(folder, 'fused.safetensors'), toTimm),
    io: await readTensors(join(folder, 'io.safetensors'), renamed),
  };
}
