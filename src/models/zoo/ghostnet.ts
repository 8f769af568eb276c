import { graphBuilder } from '../../graph/build.ts';
import type { Graph } from '../../graph/graph.ts';
import { type Activation, CLASSES, conv, linear, makeDivisible, squeezeExcite } from './layers.ts';

/** Kernel, middle channels, output channels, squeeze-and-excite, stride. */
type Row = readonly [kernel: number, middle: number, channels: number, se: boolean, stride: number];

const STAGES: readonly (readonly Row[])[] = [
  [[3, 16, 16, false, 1]],
  [[3, 48, 24, false, 2]],
  [[3, 72, 24, false, 1]],
  [[5, 72, 40, true, 2]],
  [[5, 120, 40, true, 1]],
  [[3, 240, 80, false, 2]],
  [
    [3, 200, 80, false, 1],
    [3, 184, 80, false, 1],
    [3, 184, 80, false, 1],
    [3, 480, 112, true, 1],
    [3, 672, 112, true, 1],
  ],
  [[5, 672, 160, true, 2]],
  [
    [5, 960, 160, false, 1],
    [5, 960, 160, true, 1],
    [5, 960, 160, false, 1],
    [5, 960, 160, true, 1],
  ],
];
/** Channels of the last stage's convolution, and of the one behind the pooling. */
const [LAST, HEAD] = [960, 1280];

/** GhostNet (arXiv 1911.11907, Table 1), layers and names as in timm. */
export function ghostNet({ width = 1 }: { readonly width?: number } = {}): Graph {
  const g = graphBuilder('ghostnet');
  const wide = (channels: number): number => makeDivisible(channels * width, 4);
  let channels = wide(16);
  const image = g.input('input', ['N', 3, 'H', 'W']);
  let x = conv(g, 'conv_stem', image, [3, channels], { kernel: 3, stride: 2, act: 'relu' });

  /** Half of the channels by a pointwise convolution, the other half from those by a depthwise one. */
  const ghost = (path: string, y: string, from: number, to: number, act?: Activation): string => {
    const half = Math.ceil(to / 2);
    const primary = conv(g, `${path}.primary_conv.0`, y, [from, half], { act });
    const cheap = conv(g, `${path}.cheap_operation.0`, primary, [half, half], { kernel: 3, depthwise: true, act });
    const both = g.op('Concat', `${path}.concat`, [primary, cheap], { axis: 1 });
    return 2 * half === to ? both : g.op('Slice', `${path}.slice`, [both], { axis: 1, start: 0, end: to });
  };
  const block = (path: string, [kernel, base, out, se, stride]: Row): void => {
    const [from, middle, to] = [channels, wide(base), wide(out)];
    let y = ghost(`${path}.ghost1`, x, from, middle, 'relu');
    if (stride > 1) y = conv(g, `${path}.conv_dw`, y, [middle, middle], { kernel, stride, depthwise: true });
    if (se) {
      const reduced = makeDivisible(middle / 4, 4);
      y = squeezeExcite(g, `${path}.se`, y, middle, { reduced, act: 'relu', gate: 'hard_sigmoid' });
    }
    y = ghost(`${path}.ghost2`, y, middle, to);
    let shortcut = x;
    if (from !== to || stride > 1) {
      shortcut = conv(g, `${path}.shortcut.0`, x, [from, from], { kernel, stride, depthwise: true });
      shortcut = conv(g, `${path}.shortcut.2`, shortcut, [from, to]);
    }
    x = g.op('Add', `${path}.add`, [y, shortcut], {});
    channels = to;
  };
  STAGES.forEach((rows, s) => {
    rows.forEach((row, b) => {
      block(`blocks.${s}.${b}`, row);
    });
  });
  const last = wide(LAST);
  x = conv(g, `blocks.${STAGES.length}.0.conv`, x, [channels, last], { act: 'relu' });
  const pooled = g.op('GlobalAveragePool', 'global_pool', [x], {});
  const head = conv(g, 'conv_head', pooled, [last, HEAD], { act: 'relu' });
  return g.build({ logits: linear(g, 'classifier', head, HEAD, CLASSES) });
}
