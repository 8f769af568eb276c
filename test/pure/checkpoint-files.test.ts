/** Files of weights of every kind: what each is recognized as, and that its numbers arrive to the bit. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, modelGraph, readModel } from '../../src/checkpoint/model-file.ts';
import { fromTimm, NAMINGS, type Naming, toTimm } from '../../src/checkpoint/names.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { memorySource } from '../../src/core/byte-source.ts';
import type { StateDict, Tensor } from '../../src/core/tensor.ts';
import { initialState } from '../../src/models/init.ts';
import { type MobileOneConfig, mobileOne, VARIANTS, type Variant } from '../../src/models/mobileone.ts';
import { fuse } from '../../src/reparam/fuse.ts';
import { type Piece, statePieces, torchLegacy, torchZip } from '../torch-writer.ts';

const FILES = 'test/golden/checkpoints';
const read = (name: string): Buffer => readFileSync(join(FILES, name));
/** All names, shapes and bits of a state: the same for the same, however it is ordered. */
const bits = (state: StateDict): string => createHash('sha256').update(encodeSafetensors(state)).digest('hex');
const network = (form: string): StateDict => decodeSafetensors(read(`${form}.safetensors`)).tensors;
const isCounter = (name: string): boolean => name.endsWith('num_batches_tracked');
const without = (state: StateDict, drop: (name: string) => boolean): StateDict =>
  new Map([...state].filter(([name]) => !drop(name)));

/** Written by test/golden/checkpoints.py with PyTorch. */
const REAL = [
  ['apple-train.pth.tar', 'apple', 'PyTorch zip', 'train', 'F32', ''],
  ['apple-fused-legacy.pth.tar', 'apple', 'PyTorch legacy', 'fused', 'F32', ''],
  ['apple-fused-big-endian.pth', 'apple', 'PyTorch zip', 'fused', 'F32', ''],
  ['timm-fused-float64.bin', 'timm', 'PyTorch zip', 'fused', 'F64', ''],
  ['timm-checkpoint-legacy.pth.tar', 'timm', 'PyTorch legacy', 'fused', 'F32', 'module.'],
  ['mmpretrain-train-legacy.pth', 'mmpretrain', 'PyTorch legacy', 'train', 'F32', 'backbone.'],
  ['corenet-fused-half.pt', 'corenet', 'PyTorch zip', 'fused', 'F16', ''],
  ['smp-views-bfloat16.pth', 'smp', 'PyTorch zip', 'train', 'BF16', ''],
  ['train.safetensors', 'timm', 'safetensors', 'train', 'F32', ''],
  ['fused.safetensors', 'timm', 'safetensors', 'fused', 'F32', ''],
] as const;

test.each(REAL)('%s, as PyTorch writes it, is read', (name, source, container, form, element, prefix) => {
  const { model, origin } = readModel(read(name));
  const expected = network(form);
  const classes = source === 'smp' ? 0 : 3;
  expect([origin.source, origin.file.container, model.form, origin.file.prefix]).toEqual([
    source,
    container,
    form,
    prefix,
  ]);
  expect(model.config).toEqual({
    ...VARIANTS.s4,
    depths: [1, 1, 1, 1],
    widths: [1 / 16, 1 / 32, 1 / 64, 1 / 128],
    num_conv_branches: form === 'train' ? 2 : 1,
    se_blocks: [0, 0, 1, 1],
    num_classes: classes,
  });
  const left = (key: string): boolean => isCounter(key) || (classes === 0 && key.startsWith('head.'));
  expect(bits(model.state)).toBe(bits(without(expected, left)));
  expect([...origin.file.tensors.values()].every((tensor) => tensor.element === element)).toBe(true);
  expect(bits(origin.counters)).toBe(bits(without(expected, (key) => !isCounter(key))));
  expect(new Set([...origin.counters.values()].map(({ data }) => data[0]))).toEqual(
    new Set(form === 'train' ? [1234] : []),
  );
});

test('what stands in and beside the weights is told, and used where it is of use', () => {
  const timm = readModel(read('timm-checkpoint-legacy.pth.tar'));
  // Averaged weights are taken before plain ones, which are 0 in this file.
  expect(timm.origin.file.path).toEqual(['state_dict_ema']);
  expect(timm.origin.file.beside).toEqual(['epoch', 'arch', 'state_dict', 'optimizer', 'args', 'metric']);
  const { model, origin } = readModel(read('mmpretrain-train-legacy.pth'));
  expect([origin.file.path, origin.file.beside]).toEqual([['state_dict'], ['meta']]);
  expect(model.classes).toEqual(['cat', 'dog', 'owl']);
});

test('each source has its own preprocessing', () => {
  const mean = [0.485, 0.456, 0.406];
  const std = [0.229, 0.224, 0.225];
  const of = (name: string) => decodeModel(read(name)).preprocessing;
  expect(of('apple-train.pth.tar')).toMatchObject({ size: 224, cropPct: 0.875, mean, std });
  expect(of('smp-views-bfloat16.pth')).toMatchObject({ mean, std });
  expect(of('mmpretrain-train-legacy.pth')).toMatchObject({ size: 224, cropPct: 0.875, mean, std });
  expect(of('corenet-fused-half.pt')).toMatchObject({ cropPct: 0.875, mean: [0, 0, 0], std: [1, 1, 1] });
  const s1 = zeros({ ...VARIANTS.s1, num_classes: 2 }, 'fused');
  const cropPct = (naming: Naming): number => decodeModel(encodeSafetensors(renamed(s1, naming))).preprocessing.cropPct;
  expect(NAMINGS.map(cropPct)).toEqual([0.9, 0.9, 0.875, 0.875]);
});

const renamed = (state: StateDict, naming: Naming, before = ''): StateDict =>
  new Map([...state].map(([name, value]) => [before + fromTimm(name, naming), value]));

function zeros(config: MobileOneConfig, form: 'train' | 'fused'): StateDict {
  const params = Object.entries(modelGraph(config, form).params);
  const size = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);
  return new Map(params.map(([name, { shape }]) => [name, { shape, data: new Float32Array(size(shape)) }]));
}

/** Tensors that Apple's files have, step counters included, and of them those of floats (counted in the released code). */
const COUNTS: Record<Variant, readonly [train: number, trainFloats: number, fused: number]> = {
  s0: [1323, 1097, 88],
  s1: [562, 463, 88],
  s2: [562, 463, 88],
  s3: [562, 463, 88],
  s4: [610, 511, 136],
};

test.each(Object.entries(COUNTS))(
  '%s has as many tensors under every naming as the code of its makers',
  (variant, counts) => {
    const config = { ...VARIANTS[variant as Variant], num_classes: 2 };
    for (const form of ['train', 'fused'] as const) {
      const names = Object.keys(modelGraph(config, form).params);
      const statistics = names.filter((name) => name.endsWith('.running_var'));
      expect([names.length + statistics.length, names.length]).toEqual(
        form === 'train' ? counts.slice(0, 2) : [counts[2], counts[2]],
      );
      for (const naming of NAMINGS) {
        const theirs = names.map((name) => fromTimm(name, naming));
        expect(new Set(theirs).size).toBe(names.length);
        expect(theirs.map((name) => withoutBackbone(toTimm(name)))).toEqual(names);
      }
    }
  },
);

/** Architecture of a variant, and as many channels as make it small. */
const tiny = (variant: Variant): MobileOneConfig => ({
  ...VARIANTS[variant],
  widths: [1 / 16, 1 / 32, 1 / 16, 1 / 16],
  num_classes: 3,
});

test.each(Object.keys(VARIANTS) as Variant[])(
  '%s goes to every naming and back, bit for bit, in both forms',
  (variant) => {
    const config = tiny(variant);
    const graph = mobileOne(config);
    const trained = { graph, state: initialState(graph, 3) };
    const classes = ['a', 'b', 'c'];
    const { preprocessing } = decodeModel(read('train.safetensors'));
    for (const form of ['train', 'fused'] as const) {
      const own = form === 'train' ? trained : fuse(trained.graph, trained.state);
      const statistics = [...own.state.keys()].filter((name) => name.endsWith('running_var'));
      const counters = new Map(
        statistics.map((name, i): [string, Tensor] => [
          name.replace('running_var', 'num_batches_tracked'),
          { shape: [], data: Int32Array.of(i) },
        ]),
      );
      let file: Uint8Array = encodeModel({ config, form, classes, preprocessing, info: {}, ...own });
      let first: Uint8Array | undefined;
      for (const naming of [...NAMINGS, 'timm' as const]) {
        const { model, origin } = readModel(file);
        const options = { naming, counters: origin.counters.size > 0 ? origin.counters : counters };
        file = encodeModel(model, options);
        first ??= file;
        const { tensors } = decodeSafetensors(file);
        expect(tensors.size).toBe(own.state.size + counters.size);
        expect([...tensors.keys()].every((name) => fromTimm(withoutBackbone(toTimm(name)), naming) === name)).toBe(
          true,
        );
        // Without our description too, the weights alone tell what they are.
        const plain = readModel(encodeSafetensors(tensors));
        expect([plain.origin.source, plain.model.form]).toEqual([naming, form]);
        expect(bits(plain.model.state)).toBe(bits(own.state));
        expect(bits(plain.origin.counters)).toBe(bits(counters));
      }
      expect(Buffer.compare(file, first!)).toBe(0);
      expect(decodeModel(file).classes).toEqual(classes);
    }
  },
);

const withoutBackbone = (name: string): string => name.replace(/^backbone\./, '');

const GOLDEN = ['test/golden/cases', '../shared/golden'].filter((folder) => existsSync(folder));
test.each(GOLDEN.flatMap((folder) => readdirSync(folder).map((name) => [folder, name] as const)))(
  'the golden case %s/%s is read in every form, naming, container and wrapper',
  (folder, name) => {
    for (const form of ['train', 'fused'] as const) {
      const { model, origin } = readModel(readFileSync(join(folder, name, `${form}.safetensors`)));
      expect([origin.source, model.form]).toEqual([name.split('-')[0], form]);
      for (const naming of NAMINGS) {
        const named = renamed(model.state, naming);
        const { dict, storages } = statePieces(named);
        const wrapped = statePieces(renamed(model.state, naming, naming === 'mmpretrain' ? '' : 'module.'));
        for (const file of [
          encodeModel(model, { naming }),
          encodeSafetensors(named),
          torchZip(dict, storages),
          torchLegacy(dict, storages),
          torchZip(
            new Map<Piece, Piece>([
              ['epoch', 3],
              ['model', wrapped.dict],
            ]),
            wrapped.storages,
          ),
        ]) {
          expect(bits(decodeModel(file).state)).toBe(bits(model.state));
        }
      }
    }
    for (const file of ['train.pth.tar', 'train_legacy_wrapped.pth']) {
      const path = join(folder, name, file);
      if (!existsSync(path)) continue;
      const expected = decodeModel(readFileSync(join(folder, name, 'train.safetensors')));
      expect(bits(decodeModel(readFileSync(path)).state)).toBe(bits(expected.state));
    }
  },
);

test('prefixes, an encoder inside a larger network, several networks, a name twice', () => {
  const state = network('train');
  const file = (tensors: StateDict) => () => readModel(encodeSafetensors(tensors));
  for (const before of ['module.', '_orig_mod.', 'backbone.', 'model.encoder.', 'ema:']) {
    const { model, origin } = file(renamed(state, 'apple', before))();
    expect([origin.source, origin.file.prefix, model.config.num_classes]).toEqual(['apple', before, 3]);
  }
  const body = without(state, (name) => name.startsWith('head.'));
  const decoder: [string, Tensor] = ['decoder.blocks.0.weight', { shape: [2], data: Float32Array.of(1, 2) }];
  const { model, origin } = file(new Map([...renamed(body, 'apple', 'encoder.'), decoder]))();
  expect([origin.source, origin.file.leftOut, model.classes]).toEqual(['smp', ['decoder.blocks.0.weight'], []]);
  expect(file(new Map([...renamed(body, 'apple', 'student.'), ...renamed(body, 'apple', 'teacher.')]))).toThrow(
    /several networks, under "student\." and "teacher\."/,
  );
  expect(file(new Map([...state, ...renamed(state, 'apple')]))).toThrow(/parameter .* twice, under two names/);
});

test('a mismatch lists the names as the file has them', () => {
  const state = renamed(network('train'), 'apple');
  const some = without(state, (name) => name === 'stage3.1.rbr_skip.bias');
  expect(() => decodeModel(encodeSafetensors(some))).toThrow(
    /1 of 144 .*\n {2}stage3\.1\.rbr_skip\.bias \[4\] is missing/,
  );
});

test('a file is read once, and only what the network needs of it', () => {
  const [wanted, other] = [network('fused'), new Float32Array(100_000)];
  const optimizer: StateDict = new Map([['momentum', { shape: [other.length], data: other }]]);
  const { dict, storages } = statePieces(new Map([...wanted, ...optimizer]));
  const root = new Map([
    ['state_dict', new Map([...dict].filter(([name]) => name !== 'momentum'))] as const,
    ['optimizer', new Map([...dict].filter(([name]) => name === 'momentum'))] as const,
  ]);
  for (const file of [torchZip(root, storages), torchLegacy(root, storages)]) {
    const source = memorySource(file);
    let bytes = 0;
    const model = decodeModel({
      size: source.size,
      read: (offset, length) => {
        bytes += length;
        return source.read(offset, length);
      },
    });
    expect(model.form).toBe('fused');
    // The directory's tail and a window of the description are 64 KiB each.
    expect(bytes).toBeLessThan(file.length - 4 * other.length + 3 * 2 ** 16);
    expect(bytes).toBeLessThan(file.length);
  }
});
