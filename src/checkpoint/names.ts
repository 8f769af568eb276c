/**
 * Parameter names of the frameworks that have MobileOne: one table. timm's are used inside; all are read, and the names
 * are so different that no file has to say whose it is.
 */

/** Whose names: timm, Apple's released code (segmentation_models.pytorch has them too), MMPretrain, Apple's CoreNet. */
export type Naming = 'timm' | 'apple' | 'mmpretrain' | 'corenet';
export const NAMINGS: readonly Naming[] = ['timm', 'apple', 'mmpretrain', 'corenet'];

type Words = Readonly<Record<Naming, string>>;

const STEM: Words = { timm: 'stem', apple: 'stage0', mmpretrain: 'stage0', corenet: 'conv_1' };
/** A stage is this and a number, which counts from `FIRST`. */
const STAGE: Words = { timm: 'stages.', apple: 'stage', mmpretrain: 'stage', corenet: 'layer_' };
const FIRST: Readonly<Record<Naming, number>> = { timm: 0, apple: 1, mmpretrain: 1, corenet: 2 };
const HEAD: Words = { timm: 'head.fc', apple: 'linear', mmpretrain: 'head.fc', corenet: 'classifier.classifier_fc' };
/** What stands before everything but the head. */
const BODY: Words = { timm: '', apple: '', mmpretrain: 'backbone.', corenet: '' };

/** The parts of a block; # is the number of a branch. */
const PARTS: readonly Words[] = [
  ['conv_kxk.#.conv', 'rbr_conv.#.conv', 'branch_conv_list.#.conv', 'rbr_conv.#.block.conv'],
  ['conv_kxk.#.bn', 'rbr_conv.#.bn', 'branch_conv_list.#.norm', 'rbr_conv.#.block.norm'],
  ['conv_scale.conv', 'rbr_scale.conv', 'branch_scale.conv', 'rbr_scale.block.conv'],
  ['conv_scale.bn', 'rbr_scale.bn', 'branch_scale.norm', 'rbr_scale.block.norm'],
  ['identity', 'rbr_skip', 'branch_norm', 'rbr_skip'],
  ['attn.fc1', 'se.reduce', 'se.conv1.conv', 'se.se_layer.fc1.block.conv'],
  ['attn.fc2', 'se.expand', 'se.conv2.conv', 'se.se_layer.fc2.block.conv'],
  ['reparam_conv', 'reparam_conv', 'branch_reparam', 'reparam_conv'],
].map(([timm, apple, mmpretrain, corenet]) => ({ timm, apple, mmpretrain, corenet }) as Words);

const LEAF = 'weight|bias|running_mean|running_var|num_batches_tracked';
const escaped = (text: string): string => text.replaceAll('.', '\\.');
const NUMBER = '(0|[1-9]\\d{0,3})';
const LONGEST = 500;
const BEFORE = '^(?:(.*?)([.:]))?';

interface Pattern {
  readonly naming: Naming;
  readonly body: RegExp;
  readonly head: RegExp;
}

const PATTERNS: readonly Pattern[] = NAMINGS.map((naming) => {
  const place = `(?:(${escaped(STEM[naming])})|${escaped(STAGE[naming])}${NUMBER}\\.${NUMBER})`;
  return {
    naming,
    body: new RegExp(`${BEFORE}${place}\\.(.+)\\.(${LEAF})$`),
    head: new RegExp(`${BEFORE}${escaped(HEAD[naming])}\\.(weight|bias)$`),
  };
});

/** The words for a part that one naming calls so, and the number of its branch. */
function partOf(part: string, naming: Naming): { readonly words: Words | undefined; readonly branch: string } {
  const branch = /\.(\d+)\./.exec(part)?.[1] ?? '';
  const template = branch === '' ? part : part.replace(`.${branch}.`, '.#.');
  return { words: PARTS.find((words) => words[naming] === template), branch };
}

export interface ParsedName {
  /** What stands before, its last sign included, such as `module.` or `ema:`. */
  readonly prefix: string;
  /** timm's name without it. */
  readonly name: string;
  readonly inHead: boolean;
  /** Whose name it may be. */
  readonly namings: readonly Naming[];
}

/** Reads a parameter's name in any naming; undefined for one that is none of MobileOne's. */
export function parseName(text: string): ParsedName | undefined {
  if (text.length > LONGEST) return undefined;
  const found = PATTERNS.flatMap((pattern) => parseAs(text, pattern));
  return found[0] && { ...found[0], namings: found.map(({ naming }) => naming) };
}

function parseAs(
  text: string,
  { naming, body, head }: Pattern,
): (Omit<ParsedName, 'namings'> & { readonly naming: Naming })[] {
  const inBody = body.exec(text);
  if (inBody) {
    const [, before, sign = '', stem, stage, block, part, leaf] = inBody;
    const { words, branch } = partOf(part!, naming);
    const number = Number(stage) - FIRST[naming];
    if (!words || (stem === undefined && number < 0)) return [];
    const place = stem === undefined ? `stages.${number}.${Number(block)}` : STEM.timm;
    const name = `${place}.${words.timm.replace('#', branch)}.${leaf}`;
    return [{ naming, prefix: before === undefined ? '' : before + sign, name, inHead: false }];
  }
  const inHead = head.exec(text);
  if (!inHead) return [];
  const [, before, sign = '', leaf] = inHead;
  return [{ naming, prefix: before === undefined ? '' : before + sign, name: `${HEAD.timm}.${leaf}`, inHead: true }];
}

/** Translates a parameter's name in any naming to timm's; any other name passes through, and so does what stands before it. */
export function toTimm(name: string): string {
  const parsed = parseName(name);
  return parsed ? parsed.prefix + parsed.name : name;
}

/** Translates timm's parameter name to another naming; any other name passes through. */
export function fromTimm(name: string, naming: Naming): string {
  const parsed = parseName(name);
  if (!parsed?.namings.includes('timm') || naming === 'timm') return name;
  if (parsed.inHead) return `${parsed.prefix}${HEAD[naming]}.${parsed.name.slice(HEAD.timm.length + 1)}`;
  const [, stage, block, part, leaf] = /^(?:stem|stages\.(\d+)\.(\d+))\.(.+)\.(\w+)$/.exec(parsed.name)!;
  const { words, branch } = partOf(part!, 'timm');
  const place = stage === undefined ? STEM[naming] : `${STAGE[naming]}${Number(stage) + FIRST[naming]}.${block}`;
  return `${parsed.prefix}${BODY[naming]}${place}.${words![naming].replace('#', branch)}.${leaf}`;
}

/** Translates timm's parameter name to that of Apple's code; any other name passes through. */
export function toApple(name: string): string {
  return fromTimm(name, 'apple');
}

/** True for PyTorch's step counter of a BatchNorm, which no computation here needs. */
export function isStepCounter(name: string): boolean {
  return name.endsWith('num_batches_tracked');
}
