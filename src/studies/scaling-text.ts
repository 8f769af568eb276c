/** The sentences of the study of scaling. */
import { VARIANTS } from '../models/mobileone.ts';
import { TABLE_9 } from './paper.ts';
import { largest, netsOf, percent, titleOf } from './scaling-figures.ts';
import { groupTimes, layerGroup } from './scaling-groups.ts';
import { PARTS, sideOf, variantOf } from './scaling-nets.ts';
import { earlyToLate, pacesOf } from './scaling-pace.ts';
import { TABLE_7, TIMM_RTX_4090 } from './scaling-paper.ts';
import { type BranchTime, type ChangeTime, type Found, type PartTime, timesText } from './scaling-times.ts';
import { digits, listText, msText } from './words.ts';

const wholeOf = (parts: readonly PartTime[], net: string): number =>
  parts.filter((one) => one.net === net).reduce((sum, { mean }) => sum + mean, 0);

const moreOf = ({ moves }: Found, stage: number): ChangeTime | undefined =>
  moves.find(({ label }) => label === `one block more in stage ${stage}`);

export function findingOf(found: Found): string {
  const { main, first, parts, forms } = found;
  const sentences: string[] = [];
  if (parts.length > 0) {
    const { part, share } = largest(parts, first);
    sentences.push(
      `On ${main.title}, ${titleOf(first)} spends ${percent(share)} of its time in ${PARTS[part]}, at ${sideOf(part)} px.`,
    );
  }
  const [early, late] = [moreOf(found, 1), moreOf(found, 3)];
  if (early && late && early.interval[0] > 0 && late.interval[0] > 0) {
    const pace = (one: ChangeTime): number => one.mean / one.macs;
    sentences.push(
      `A block more in stage 1 costs ${msText(early.mean)} ms, in stage 3 ${msText(late.mean)} ms: per multiply-add ${timesText(pace(early) / pace(late))} as much.`,
    );
  } else if (early && late) {
    sentences.push('What one block more costs is lost in noise here.');
  }
  const last = forms.at(-1);
  if (last)
    sentences.push(`Unfused with k = ${last.k} it takes ${timesText(last.mean / last.fused)} as long as fused.`);
  return sentences.join(' ') || 'Nothing could be measured.';
}

export function partText({ parts, layers }: Found): string {
  const nets = netsOf({ parts });
  if (nets.length === 0) return 'No network could be measured part by part.';
  const lines = nets.map((net) => {
    const own = parts.filter((one) => one.net === net);
    const shares = own.map(({ part, share }) => `${PARTS[part]} ${percent(share)}`);
    return `- **${titleOf(net)}**, ${msText(wholeOf(parts, net))} ms: ${listText(shares)}.`;
  });
  const [from, to] = [nets[0]!, nets.at(-1)!];
  const growth = wholeOf(parts, to) / wholeOf(parts, from);
  const paper = TABLE_9[to]!.mobile / TABLE_9[from]!.mobile;
  const macs = TABLE_9[to]!.macs / TABLE_9[from]!.macs;
  const sums = layers.some(({ time }) => time)
    ? ' `layers_ms` in the table is the sum of single layers, found in another way: where both agree, the parts can be believed.'
    : '';
  return [
    `Each part's time is the difference of two networks that were measured, one of which ends a stage earlier.${sums}`,
    lines.join('\n'),
    ...(from === to
      ? []
      : [
          `From ${titleOf(from)} to ${titleOf(to)} the multiply-adds grow ${macs.toFixed(1)} times, the time here ${growth.toFixed(1)} times, on the paper's iPhone 12 ${paper.toFixed(1)} times (Table 9).`,
        ]),
    `The blocks are the released code's; the paper's Table 7 counts the stem as stage 1 and has ${TABLE_7.map(({ blocks }) => blocks).join(', ')} blocks, its stages 4 and 5 together.`,
  ].join('\n\n');
}

export function paceText(found: Found, parts: readonly PartTime[]): string {
  const paces = pacesOf(found).filter(({ net }) => net === found.first);
  if (paces.length === 0) return 'No network could be measured part by part.';
  const lines = paces.map(
    ({ part, picoseconds, bytes }) =>
      `- ${PARTS[part]}, ${sideOf(part)} px: ${digits(picoseconds, 3)} ps and ${bytes.toFixed(2)} bytes for each multiply-add.`,
  );
  const stages = paces.filter(({ part }) => part > 0);
  const order = (key: 'picoseconds' | 'bytes'): string =>
    [...stages]
      .sort((a, b) => b[key] - a[key])
      .map(({ part }) => part)
      .join(', ');
  const [byTime, byBytes] = [order('picoseconds'), order('bytes')];
  const sides = [...new Set(parts.map(({ side }) => side))].flatMap((side) => {
    const own = parts.filter((one) => one.side === side && one.net === found.first);
    const ratio = earlyToLate(pacesOf({ parts: own, layers: found.layers }));
    return ratio ? [`${ratio.toFixed(2)} on ${side.title}`] : [];
  });
  return [
    'The paper makes the early stages shallow because layers at a high resolution are slow for what they compute: few channels, many positions, so that moving activations costs more than multiplying.',
    `${titleOf(found.first)}:\n${lines.join('\n')}`,
    byTime === byBytes
      ? `Stages from the dearest multiply-add to the cheapest: ${byTime}; that is also their order by bytes moved for each.`
      : `Stages from the dearest multiply-add to the cheapest: ${byTime}; by bytes moved for each: ${byBytes}. So memory traffic alone does not explain it here.`,
    ...(sides.length > 0
      ? [
          `A multiply-add of stage 1 relative to one of stage 3: ${listText(sides)}. Where arithmetic is slow, memory hardly shows.`,
        ]
      : []),
  ].join('\n\n');
}

const amount = (value: number, what: string): string =>
  `${Math.abs(value).toFixed(1)} ${what} ${value < 0 ? 'less' : 'more'}`;

export function moveText(found: Found): string {
  const { moves, first, main } = found;
  if (moves.length === 0) return 'No other depths could be measured.';
  const line = ({ label, mean, interval: [low, high], macs, params, base }: ChangeTime): string => {
    const sure = low > 0 || high < 0 ? '' : ' (may be chance)';
    const size = `${msText(Math.abs(mean))} ms, ${((100 * Math.abs(mean)) / base).toFixed(1)} %`;
    return `- ${label[0]!.toUpperCase()}${label.slice(1)}: ${size} ${mean < 0 ? 'less' : 'more'}${sure}, with ${amount(macs / 1e6, 'M multiply-adds')} and ${amount(params / 1e3, 'k parameters')}.`;
  };
  const [early, late] = [moreOf(found, 1), moreOf(found, 3)];
  const each = ({ params, mean }: ChangeTime): string => (params / 1e3 / mean).toFixed(0);
  const buys =
    early && late && early.interval[0] > 0 && late.interval[0] > 0
      ? ` A millisecond buys ${each(early)} k parameters in stage 1 and ${each(late)} k in stage 3.`
      : '';
  return [
    `${titleOf(first)} with other depths on ${main.title}, each measured as a whole.`,
    moves.map(line).join('\n'),
    `A block of a later stage has more channels, and with them more to fit a task with.${buys}`,
  ].join('\n\n');
}

export function layerText({ layers, first }: Found): string {
  const own = layers.filter(({ net }) => net === first);
  const timed = own.filter(({ time }) => time);
  if (timed.length === 0) return 'The wasm engine is not at hand, so single layers were counted, not timed.';
  const whole = timed.reduce((sum, { time }) => sum + time!.mean, 0);
  const dearest = [...timed].sort((a, b) => b.time!.mean - a.time!.mean).slice(0, 5);
  const groups = groupTimes(layers, first);
  const macs = (group: string): number =>
    own.filter(({ counted }) => layerGroup(counted) === group).reduce((sum, { counted }) => sum + counted.macs, 0);
  const all = own.reduce((sum, { counted }) => sum + counted.macs, 0);
  const share = (group: string): string =>
    `${group} layers do ${percent(macs(group) / all)} of the multiply-adds in ${percent((groups[group] ?? 0) / whole)} of the time`;
  return [
    `${titleOf(first)}: ${share('pointwise')}, ${share('depthwise')}. Its dearest layers:`,
    dearest
      .map(({ counted: { name, layer }, time }) => `- \`${name}\` ${msText(time!.mean)} ms: ${layer.key}`)
      .join('\n'),
  ].join('\n\n');
}

export function branchText({ first, main }: Found, forms: readonly BranchTime[], everyFused: boolean): string {
  if (forms.length === 0) return 'The train form could not be measured.';
  const sides = [...new Set(forms.map(({ side }) => side))];
  const lines = sides.map((side) => {
    const own = forms.filter((one) => one.side === side);
    const times = own.map(({ k, mean, fused }) => `k = ${k} ${(mean / fused).toFixed(2)}`);
    return `- **${side.title}**, unfused relative to fused (${msText(own[0]!.fused)} ms): ${listText(times)}.`;
  });
  const { num_conv_branches: k } = VARIANTS[variantOf(first)];
  const timm = TIMM_RTX_4090[variantOf(first)];
  const ours = forms.find((one) => one.side === main && one.k === k);
  const own = forms.filter(({ side, k: branches }) => side === main && branches > 0);
  const [few, many] = [own[0], own.at(-1)];
  const bare = forms.find((one) => one.side === main && one.k === 0);
  return [
    everyFused
      ? `Fused, ${titleOf(first)} is the same chain of convolutions for every k: compared layer by layer, operations and shapes are equal, so it is measured once.`
      : `Fused, ${titleOf(first)} is not the same for every k: this should not be.`,
    lines.join('\n'),
    `k = 0 leaves the scale and skip branches alone; where a block has neither, one convolution stays.${bare && bare.mean < bare.fused ? ' Such a network computes less before it is fused than after: a skip is cheaper than the convolution it becomes.' : ''}${few && many && many.k > few.k ? ` Each branch more costs ${msText((many.mean - few.mean) / (many.k - few.k))} ms on ${main.title} until it is fused.` : ''}`,
    `timm measured ${titleOf(first)} (k = ${k}) on an RTX 4090: ${timm.unfused} images a second unfused and ${timm.fused} fused, ${(timm.fused / timm.unfused).toFixed(1)} times as many${ours ? `; here it is ${(ours.mean / ours.fused).toFixed(1)} times for one image` : ''}. Theirs is throughput, and its two figures are of different versions of PyTorch (2.4 and 2.9.1).`,
  ].join('\n\n');
}
