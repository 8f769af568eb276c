import { type Form, type ModelFile, modelGraph, type Origin } from '../../checkpoint/model-file.ts';
import { UserError } from '../../core/errors.ts';
import { autoThreads } from '../../engine/wasm/auto-threads-node.ts';
import { bind } from '../../graph/bind.ts';
import { cost, countParams } from '../../graph/cost.ts';
import { groupDigits, printGraph } from '../../graph/print.ts';
import { type MobileOneConfig, stageChannels, VARIANTS } from '../../models/mobileone.ts';
import { zooGraph, zooNet } from '../../models/zoo/registry.ts';
import { originJson, originLines } from '../describe-origin.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { describeMachine } from '../machine.ts';
import { describePublished, imageSide, isBareName, namedNet } from '../named-net.ts';
import { threadCount, wholeNumber } from '../open-engine.ts';
import { openModel } from '../open-model.ts';
import { printTrainingPlan } from '../training-plan.ts';

export interface InfoFlags {
  readonly size?: string | undefined;
  readonly fused?: true | undefined;
  readonly json?: true | undefined;
  readonly plan?: true | undefined;
  readonly batch?: string | undefined;
  readonly threads?: string | undefined;
}

/** `mobileone info`: a variant, a network of the zoo, a file or a run layer by layer; without argument this machine. */
export async function infoCommand(io: Io, what: string | undefined, flags: InfoFlags): Promise<number> {
  const size = wholeNumber('--size', flags.size, 32);
  if (what === undefined) return await machineInfo(io, flags.json === true);
  if (isBareName(what)) {
    const named = namedNet(what);
    if ('net' in named) return describeNet(io, named.net, imageSide(named.net, size), flags);
    const { config } = named;
    if (flags.plan) return showPlan(io, config, size ?? 224, flags);
    describe(io, { title: `variant ${what}`, config, form: flags.fused ? 'fused' : 'train', size: size ?? 224 }, flags);
    return EXIT.ok;
  }
  const { path, model, origin, run } = await openModel(what, { backbone: true });
  if (flags.plan) return showPlan(io, model.config, size ?? model.preprocessing.size, flags);
  const title = `${path}${model.variant ? `, ${model.variant}` : ''}`;
  const training = run && { data: run.meta.data, epoch: run.meta.epoch, epochs: run.recipe.epochs };
  describe(io, { title, ...model, size: size ?? model.preprocessing.size, model, origin, training }, flags);
  return EXIT.ok;
}

function showPlan(io: Io, config: MobileOneConfig, size: number, { batch, threads, json }: InfoFlags): number {
  const sizes = {
    batch: wholeNumber('--batch', batch) ?? 32,
    size,
    threads: threadCount(threads) ?? autoThreads(),
  };
  printTrainingPlan(io, modelGraph(config, 'train'), config.num_classes, sizes, json === true);
  return EXIT.ok;
}

/** A network that is no variant of MobileOne: its layers, and what was published of it. */
function describeNet(io: Io, name: string, size: number, flags: InfoFlags): number {
  const { title, published, follows, differs, sides } = zooNet(name);
  if (flags.plan)
    throw new UserError(
      `${name} can be measured, but not trained, so there is no plan of its training.`,
      `Leave --plan away, or name one of ${Object.keys(VARIANTS).join(', ')}.`,
    );
  const train = flags.fused ? undefined : zooGraph(name, 'train');
  const form: Form = train ? 'train' : 'fused';
  const bound = bind(train ?? zooGraph(name, 'fused'), { N: 1, H: size, W: size });
  const { macs, params, nodes } = cost(bound);
  const fusedParams = countParams(zooGraph(name, 'fused'));
  if (flags.json) {
    const counts = { form, size, params, fusedParams, macs };
    io.out(JSON.stringify({ title, ...counts, published, follows, differs, sides, nodes }));
    return EXIT.ok;
  }
  io.out(printGraph(bound).trimEnd());
  io.out(`\n${title}: ${form} form, ${groupDigits(params)} parameters, ${groupDigits(macs)} MACs at ${size} px`);
  if (train) io.out(`fused: ${groupDigits(fusedParams)} parameters`);
  for (const line of describePublished(name)) io.out(line);
  return EXIT.ok;
}

interface Described {
  readonly title: string;
  readonly config: MobileOneConfig;
  readonly form: Form;
  readonly size: number;
  readonly model?: ModelFile;
  readonly origin?: Origin | undefined;
  readonly training?: { readonly data: string; readonly epoch: number; readonly epochs: number } | undefined;
}

function describe(
  io: Io,
  { title, config, form, size, model, origin, training }: Described,
  { json }: InfoFlags,
): void {
  const bound = bind(modelGraph(config, form), { N: 1, H: size, W: size });
  const { macs, params, nodes } = cost(bound);
  const fusedParams = countParams(modelGraph(config, 'fused'));
  const { classes, preprocessing, metrics, proof, info } = model ?? {};
  if (json) {
    const about = {
      form,
      ...(model ? { variant: model.variant ?? null } : {}),
      ...(model && origin ? { origin: originJson(model, origin) } : {}),
      size,
      params,
      fusedParams,
      macs,
      config,
      classes,
      preprocessing,
      metrics,
      proof,
      info,
      training,
      nodes,
    };
    io.out(JSON.stringify({ title, ...about }));
    return;
  }
  io.out(printGraph(bound).trimEnd());
  io.out("\nthe paper's stages (Table 7) and the names here");
  for (const line of stageMap(config, form)) io.out(`  ${line}`);
  io.out(`\n${title}: ${form} form, ${groupDigits(params)} parameters, ${groupDigits(macs)} MACs at ${size} px`);
  if (form === 'train') io.out(`fused: ${groupDigits(fusedParams)} parameters`);
  if (model) io.out(architectureLine(model));
  if (classes && classes.length > 0)
    io.out(`${classes.length} classes: ${classes.slice(0, 20).join(', ')}${classes.length > 20 ? ', …' : ''}`);
  if (preprocessing) {
    const { cropPct, mean, std } = preprocessing;
    io.out(
      `preprocessing: short side to ${Math.round(preprocessing.size / cropPct)}, center ${preprocessing.size}, mean ${mean.join(' ')}, std ${std.join(' ')}`,
    );
  }
  if (model && origin) for (const line of originLines(model, origin)) io.out(line);
  if (metrics)
    io.out(
      `measured: ${Object.entries(metrics)
        .map(([name, value]) => `${name} ${Number(value.toPrecision(5))}`)
        .join(', ')}`,
    );
  if (proof)
    io.out(
      `proof of fusing: ${proof.images} images, difference ${proof.relativeDifference.toExponential(1)}, ${proof.passed ? 'passed' : 'failed'}`,
    );
  if (training) io.out(`trained on ${training.data}, ${training.epoch} of ${training.epochs} epochs`);
}

function architectureLine({ variant, form, config }: ModelFile): string {
  const { num_conv_branches: k, se_blocks } = config;
  const branches = form === 'train' || variant ? `k ${k}` : 'k not known, as it is fused';
  const blocks = se_blocks.reduce((sum, count) => sum + count, 0);
  return `${variant ?? 'no released variant'}, ${branches}, ${blocks > 0 ? `SE in ${blocks} blocks` : 'no SE'}`;
}

/** Which stage of the paper is which part of the graph. */
function stageMap(config: MobileOneConfig, form: Form): string[] {
  const { stem, stages } = stageChannels(config);
  const { depths, num_conv_branches, se_blocks } = config;
  const k = (branches: number): string => (form === 'train' ? `, k ${branches}` : '');
  const row = (paper: string, name: string, blocks: number, stage: number): string => {
    const se = se_blocks[stage]! > 0 ? `, SE in the last ${se_blocks[stage]}` : '';
    return `${paper.padEnd(14)} ${name.padEnd(25)} ${blocks} × (depthwise 3×3 + pointwise), ${stages[stage]} channels${k(num_conv_branches)}${se}`;
  };
  return [
    `${'stage 1'.padEnd(14)} ${'stem'.padEnd(25)} one dense 3×3, stride 2, ${stem} channels${k(1)} (as released; the paper draws a pair)`,
    row('stage 2', 'stages.0', depths[0], 0),
    row('stage 3', 'stages.1', depths[1], 1),
    row('stages 4 and 5', 'stages.2', depths[2], 2),
    row('stage 6', 'stages.3', depths[3], 3),
    config.num_classes === 0
      ? `${'stage 7'.padEnd(14)} ${'head.global_pool'.padEnd(25)} average pool, ${stages[3]} features`
      : `${'stages 7, 8'.padEnd(14)} ${'head.global_pool, head.fc'.padEnd(25)} average pool, linear ${stages[3]} → ${config.num_classes}`,
  ];
}

async function machineInfo(io: Io, json: boolean): Promise<number> {
  const machine = await describeMachine();
  if (json) {
    io.out(JSON.stringify(machine));
    return EXIT.ok;
  }
  const { engines, packages, ...plain } = machine;
  const lines: [string, string][] = [
    ...Object.entries(plain).map(([name, value]): [string, string] => [name, String(value)]),
    ...Object.entries(engines).map(([name, text]): [string, string] => [`engine ${name}`, text]),
    ...Object.entries(packages).map(([name, version]): [string, string] => [
      name,
      version ?? `not installed (npm install ${name})`,
    ]),
  ];
  for (const [name, value] of lines) io.out(`${name.padEnd(25)} ${value}`);
  return EXIT.ok;
}
