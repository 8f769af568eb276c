import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { isStepCounter, toTimm } from '../../src/checkpoint/names.ts';
import { decodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { UserError } from '../../src/core/errors.ts';
import { type StateDict, sizeOf, type Tensor } from '../../src/core/tensor.ts';
import { bind } from '../../src/graph/bind.ts';
import { graphBuilder } from '../../src/graph/build.ts';
import { cost } from '../../src/graph/cost.ts';
import { expandBranches } from '../../src/graph/passes/branches.ts';
import { fuseGraph } from '../../src/graph/passes/fuse.ts';
import { initialState } from '../../src/models/init.ts';
import { blockAttrs, type MobileOneConfig, mobileOne, VARIANTS } from '../../src/models/mobileone.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { trainMode } from '../../src/step/train-step.ts';

const tiny: MobileOneConfig = {
  ...VARIANTS.s0,
  depths: [1, 1, 2, 1],
  widths: [0.125, 0.125, 0.125, 0.125],
  se_blocks: [0, 0, 1, 0],
  num_conv_branches: 2,
  num_classes: 5,
};

test('one block by hand: two conv branches, scale and skip', () => {
  const g = graphBuilder('one');
  const x = g.input('input', ['N', 1, 'H', 'W']);
  const graph = g.build({ y: g.repConv('b', x, blockAttrs(1, 1, 3, { num_conv_branches: 2 })) });
  // Every BN has γ 2, β 3, μ 5 and a variance that makes √(σ² + ε) = 4: scale 0.5, shift 0.5.
  const norm = { norm_weight: 2, norm_bias: 3, running_mean: 5, running_var: 16 - 1e-5, bias: 0 };
  const state = new Map<string, Tensor>();
  for (const [name, { role, shape }] of Object.entries(graph.params)) {
    const start = name.includes('scale') ? 100 : name.includes('kxk.0') ? 1 : 11;
    const values = role === 'weight' ? Array.from({ length: sizeOf(shape) }, (_, i) => start + i) : [norm[role]];
    state.set(name, { shape, data: Float32Array.from(values) });
  }
  const fused = fuse(graph, state).state;
  const kernel = Array.from({ length: 9 }, (_, i) => 0.5 * (1 + i + 11 + i) + (i === 4 ? 0.5 * (100 + 1) : 0));
  expect(fused.get('b.reparam_conv.bias')!.data[0]).toBeCloseTo(4 * 0.5, 5);
  fused.get('b.reparam_conv.weight')!.data.forEach((w, i) => {
    expect(w).toBeCloseTo(kernel[i]!, 4);
  });
});

test('the fused graph has no RepConv, the same outputs and shapes, and every parameter', () => {
  const graph = mobileOne(tiny);
  const state = initialState(graph, 1);
  const fused = fuse(graph, state);
  expect(fused.graph.nodes.some(({ kind }) => kind === 'RepConv')).toBe(false);
  expect(fused.graph.outputs).toEqual(graph.outputs);
  expect([...fused.state.keys()]).toEqual(Object.keys(fused.graph.params));
  const dims = { N: 2, H: 45, W: 39 };
  const [before, after] = [bind(graph, dims).shapes, bind(fused.graph, dims).shapes];
  expect(after.get('head.fc')).toEqual(before.get('head.fc'));
  for (const name of ['head.fc.weight', 'stages.2.2.attn.fc1.bias'])
    expect(fused.state.get(name)).toBe(state.get(name));
});

test('an already fused model is returned as it is', () => {
  const graph = mobileOne(tiny);
  const once = fuse(graph, initialState(graph, 1));
  const twice = fuse(once.graph, once.state);
  expect(twice.graph).toBe(once.graph);
  expect(twice.state).toBe(once.state);
});

test('a RepConv inside any composite graph is fused, and other nodes stay', () => {
  const g = graphBuilder('composite');
  const x = g.input('input', ['N', 4, 'H', 'W']);
  const a = g.repConv('decoder.left', x, blockAttrs(4, 4, 3, { dilation: 2 }));
  const b = g.conv('decoder.right', x, 4, 4, {
    kernel_shape: [1, 1],
    strides: [1, 1],
    pads: [0, 0, 0, 0],
    dilations: [1, 1],
    group: 1,
  });
  const graph = g.build({ out: g.op('Add', 'sum', [a, b], {}) });
  const fused = fuse(graph, initialState(graph, 3));
  expect(Object.keys(fused.graph.params)).toEqual([
    'decoder.left.reparam_conv.weight',
    'decoder.left.reparam_conv.bias',
    'decoder.right.weight',
    'decoder.right.bias',
  ]);
  expect(fused.graph.nodes[0]!.attrs).toMatchObject({ dilations: [2, 2], pads: [2, 2, 2, 2] });
  expect(bind(fused.graph, { N: 1, H: 9, W: 7 }).shapes.get('sum')).toEqual([1, 4, 9, 7]);
});

test('train mode is refused, and so are weights that are not finite', () => {
  const graph = mobileOne(tiny);
  expect(() => fuseGraph(trainMode(graph))).toThrow(/train mode/);
  expect(() => expandBranches(trainMode(graph))).toThrow(/train mode/);
  const state = new Map(initialState(graph, 1));
  state.set('stem.conv_scale.bn.weight', { shape: [8], data: new Float32Array(8).fill(Number.NaN) });
  expect(() => fuse(graph, state)).toThrow(UserError);
  expect(() => fuse(graph, new Map())).toThrow(/lacks the parameter/);
});

test('expanded branches have the parameters, MACs and shapes of the RepConvs', () => {
  const graph = mobileOne(tiny);
  const expanded = expandBranches(graph);
  const dims = { N: 2, H: 45, W: 39 };
  expect(expanded.params).toEqual(graph.params);
  expect(cost(bind(expanded, dims)).macs).toBe(cost(bind(graph, dims)).macs);
  for (const value of Object.values(graph.outputs)) {
    expect(bind(expanded, dims).shapes.get(value)).toEqual(bind(graph, dims).shapes.get(value));
  }
});

const CASES = ['apple-k4', 'apple-k1-se-odd', 'timm-k2-se'];
const CONFIGS: Record<string, Partial<MobileOneConfig>> = {
  'apple-k4': { depths: [1, 2, 2, 1], widths: [0.125, 0.125, 0.125, 0.125], num_conv_branches: 4, num_classes: 5 },
  'apple-k1-se-odd': {
    depths: [1, 1, 2, 1],
    widths: [0.5, 0.25, 0.25, 0.125],
    num_conv_branches: 1,
    se_blocks: [0, 0, 1, 1],
    rd_divisor: 1,
    num_classes: 7,
  },
  'timm-k2-se': {
    depths: [1, 2, 1, 1],
    widths: [0.125, 0.125, 0.25, 0.125],
    num_conv_branches: 2,
    se_blocks: [0, 0, 1, 1],
    num_classes: 6,
  },
};
const folder = ['test/golden/cases', '../shared/golden'].find((dir) => existsSync(`${dir}/apple-k4/fused.safetensors`));
const read = (path: string): StateDict => decodeSafetensors(readFileSync(path)).tensors;
const named = (state: StateDict): StateDict =>
  new Map([...state].filter(([name]) => !isStepCounter(name)).map(([name, value]) => [toTimm(name), value]));

test.skipIf(!folder)(`fused weights equal those of Apple's and timm's own code${folder ? '' : ' (no cases)'}`, () => {
  for (const name of CASES) {
    const graph = mobileOne({ ...VARIANTS.s0, ...CONFIGS[name] });
    const expected = named(read(`${folder}/${name}/fused.safetensors`));
    const fused = fuse(graph, named(read(`${folder}/${name}/train.safetensors`))).state;
    expect(new Set(fused.keys())).toEqual(new Set(expected.keys()));
    for (const [param, { data, shape }] of expected) {
      expect(fused.get(param)!.shape).toEqual(shape);
      const scale = Math.max(...Array.from(data, Math.abs));
      fused.get(param)!.data.forEach((v, i) => {
        if (Math.abs(v - data[i]!) > 1e-6 * scale) expect.fail(`${name} ${param}[${i}]: ${v} against ${data[i]}`);
      });
    }
  }
});
