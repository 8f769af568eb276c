/** Small graphs of the ops that only inference knows; without a test runner. */

import { convAttrs, type GraphBuilder, graphBuilder } from '../../../src/graph/build.ts';
import type { Dim, Graph } from '../../../src/graph/graph.ts';
import type { Case } from './models.ts';
import { lively, noise } from './models.ts';

const window = (kernel: number, stride: number, pad: number) =>
  ({ kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [pad, pad, pad, pad] }) as const;

/** Outputs of a graph over `[N, channels, H, W]`. */
type Build = (g: GraphBuilder, x: string, channels: number) => Record<string, string>;

/** What every engine that runs inference runs. */
const BUILDS: Readonly<Record<string, Build>> = {
  activations: (g, x, channels) => {
    g.declare({ slope: { shape: [channels, 1, 1], role: 'weight' } });
    return {
      relu6: g.op('Clip', 'relu6', [x], { min: 0, max: 6 }),
      between: g.op('Clip', 'between', [x], { min: 0.25, max: 0.75 }),
      hard_sigmoid: g.op('HardSigmoid', 'hard_sigmoid', [x], {}),
      hard_swish: g.op('HardSwish', 'hard_swish', [x], {}),
      sigmoid: g.op('Sigmoid', 'sigmoid', [x], {}),
      swish: g.op('Swish', 'swish', [x], {}),
      gelu: g.op('Gelu', 'gelu', [x], {}),
      prelu: g.op('PRelu', 'prelu', [x], {}, { slope: 'slope' }),
    };
  },
  'activations after a convolution, in place': (g, x, channels) => {
    let y = x;
    for (const kind of ['HardSigmoid', 'Swish', 'Gelu', 'HardSwish', 'Sigmoid'] as const)
      y = g.op(kind, `${kind}.act`, [g.conv(kind, y, channels, channels, convAttrs(1))], {});
    return { y: g.conv('last', y, 5, channels, convAttrs(1)) };
  },
  pooling: (g, x) => ({
    max: g.op('MaxPool', 'max', [x], window(3, 2, 1)),
    mean: g.op('AveragePool', 'mean', [x], { ...window(3, 2, 1), count_include_pad: false }),
    zeros: g.op('AveragePool', 'zeros', [x], { ...window(2, 1, 1), count_include_pad: true }),
    global: g.op('GlobalAveragePool', 'global', [x], {}),
    flat: g.op('ReduceMean', 'flat', [x], { axes: [2, 3], keepdims: false }),
    kept: g.op('ReduceMean', 'kept', [x], { axes: [2, 3], keepdims: true }),
    padded: g.op('Pad', 'padded', [x], { pads: [1, 0, 2, 3] }),
  }),
  channels: (g, x, channels) => {
    const [first, second] = g.split('split', x, [3, channels - 3]) as [string, string];
    const joined = g.op('Concat', 'joined', [second, first, x], { axis: 1 });
    return {
      first,
      second,
      joined,
      shuffled: g.op('ChannelShuffle', 'shuffled', [joined], { groups: 2 }),
      some: g.op('Slice', 'some', [joined], { axis: 1, start: 2, end: channels }),
      back: g.conv('back', joined, 4, 2 * channels, convAttrs(3, 2)),
    };
  },
  gates: (g, x, channels) => {
    const gate = g.op('HardSigmoid', 'gate', [g.op('GlobalAveragePool', 'pool', [x], {})], {});
    const gated = g.op('Mul', 'gated', [gate, x], {});
    return { gated, sum: g.op('Add', 'sum', [gated, x], {}), y: g.conv('y', gated, 3, channels, convAttrs(1)) };
  },
  broadcasts: (g, x, channels) => {
    const perChannel = g.op('GlobalAveragePool', 'perChannel', [x], {});
    const [perImage] = g.split('first', perChannel, [1, channels - 1]) as [string];
    const map = g.conv('map', x, 1, channels, convAttrs(1));
    const kinds = ['Add', 'Mul', 'Max'] as const;
    const pairs = kinds.flatMap((kind) =>
      Object.entries({ perChannel, perImage, map }).map(([from, small], i) => {
        const name = `${kind}.${from}`;
        return [name, g.op(kind, name, i % 2 ? [x, small] : [small, x], {})] as const;
      }),
    );
    return Object.fromEntries(pairs);
  },
  'largest of several, lines': (g, x, channels) => {
    const line = g.op('Affine', 'line', [x], { alpha: -0.5, beta: 0.75 });
    const scaled = g.op('Affine', 'scaled', [x], { alpha: 0.1, beta: 0 });
    const moved = g.op('Affine', 'moved', [x], { alpha: 1, beta: -2 });
    const pooled = g.op('GlobalAveragePool', 'pooled', [x], {});
    const conv = g.conv('conv', g.op('Add', 'overwritten', [line, pooled], {}), channels, channels, convAttrs(1));
    return {
      moved,
      two: g.op('Max', 'two', [conv, scaled], {}),
      one: g.op('Max', 'one', [x], {}),
      three: g.op('Max', 'three', [pooled, scaled, x], {}),
      // Padding that is not zero would be seen here.
      y: g.conv('y', g.op('Max', 'max', [conv, moved, pooled], {}), 3, channels, convAttrs(3)),
    };
  },
  'depthwise kernels': (g, x, channels) => {
    const rows = [5, 7, 9].flatMap((kernel) => [1, 2].map((stride) => ({ kernel, stride, dilation: 1 })));
    const depthwise = [...rows, { kernel: 3, stride: 1, dilation: 2 }, { kernel: 5, stride: 2, dilation: 3 }];
    return Object.fromEntries(
      depthwise.map(({ kernel, stride, dilation }) => {
        const name = `dw${kernel}.${stride}.${dilation}`;
        return [name, g.conv(name, x, channels, channels, convAttrs(kernel, stride, channels, dilation))];
      }),
    );
  },
};

/** Tensors of any shape, for images of 6 channels. */
const ANY_SHAPE: Readonly<Record<string, Build>> = {
  'several outputs a channel': (g, x) => {
    const doubled = g.conv('doubled', x, 12, 6, convAttrs(3, 1, 6));
    return { often: g.conv('often', doubled, 84, 12, convAttrs(5, 2, 12)), doubled };
  },
  broadcasting: (g, x) => {
    const row = g.op('ReduceMean', 'row', [x], { axes: [1, 2], keepdims: true });
    const image = g.op('ReduceMean', 'image', [x], { axes: [1, 2, 3], keepdims: false });
    return {
      sum: g.op('Add', 'sum', [row, x], {}),
      product: g.op('Mul', 'product', [x, row], {}),
      image,
      outer: g.op('Mul', 'outer', [g.op('ReduceMean', 'column', [x], { axes: [3], keepdims: true }), row], {}),
    };
  },
  'outer products': (g, x) => {
    const map = g.conv('map', x, 1, 6, convAttrs(1));
    return { y: g.op('Max', 'outer', [g.op('GlobalAveragePool', 'pool', [x], {}), map], {}) };
  },
  'fewer dimensions': (g, x) => {
    const pooled = g.op('ReduceMean', 'pooled', [x], { axes: [2, 3], keepdims: false });
    const row = g.op('Slice', 'row', [pooled], { axis: 1, start: 0, end: 5 });
    const tall = { kernel_shape: [5, 1], strides: [1, 1], pads: [0, 0, 0, 0], count_include_pad: false } as const;
    return { y: g.op('Add', 'sum', [g.op('AveragePool', 'two', [x], tall), row], {}) };
  },
  'other axes': (g, x) => ({
    joined: g.op('Concat', 'joined', [x, x], { axis: 2 }),
    some: g.op('Slice', 'some', [x], { axis: 3, start: 1, end: 4 }),
  }),
};

/** What the reference and ONNX have beside. */
const MORE_BUILDS: Readonly<Record<string, Build>> = {
  'grouped convolutions': (g, x) => ({ three: g.conv('three', x, 9, 6, convAttrs(3, 2, 3)) }),
};

function graphOf(name: string, build: Build, channels: number): Graph {
  const g = graphBuilder(name);
  const shape: Dim[] = ['N', channels, 'H', 'W'];
  return g.build(build(g, g.input('input', shape), channels));
}

function caseOf(graph: Graph, channels: number, [N, H, W]: readonly [number, number, number]): Case {
  // Three times as wide as a normal one: what saturates should.
  const { shape, data } = noise([N, channels, H, W], H * W);
  const input = { shape, data: (data as Float32Array).map((value) => 3 * value) };
  return { graph, dims: { N, H, W }, feeds: { input }, state: lively(graph, 7) };
}

const smallCases = (builds: Readonly<Record<string, Build>>): Case[] =>
  Object.entries(builds).map(([name, build]) => caseOf(graphOf(name, build, 6), 6, [2, 6, 5]));

/** Cases that every engine runs: padded and unpadded channels, odd sizes, two images. */
export function inferenceCases(): Case[] {
  const images = [8, 13].flatMap((channels, i) =>
    Object.entries(BUILDS).map(([name, build]) =>
      caseOf(graphOf(name, build, channels), channels, [2 - (i % 2), 7 + i, 11 - 2 * i]),
    ),
  );
  return [...images, ...smallCases(ANY_SHAPE)];
}

/** Cases that the wasm engine refuses. */
export function moreCases(): Case[] {
  return smallCases(MORE_BUILDS);
}
