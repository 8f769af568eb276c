/**
 * Damages valid files of weights at random and holds the readers to it: a model or a UserError, nothing else, and no more
 * bytes read than their budget. There is no clock in it: that no input takes long is seen by the whole ending.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeModel, encodeModel, MODEL_KEY, readModel } from '../../src/checkpoint/model-file.ts';
import { decodeSafetensors, encodeSafetensors } from '../../src/checkpoint/safetensors.ts';
import { byteReader } from '../../src/checkpoint/torch/byte-reader.ts';
import { findGlobal } from '../../src/checkpoint/torch/globals.ts';
import { readPickle } from '../../src/checkpoint/torch/pickle.ts';
import { type ByteSource, memorySource } from '../../src/core/byte-source.ts';
import { type Random, random } from '../../src/core/random.ts';
import { call, global, type Piece, piece, statePieces, torchLegacy, torchZip } from '../torch-writer.ts';

const file = (name: string): Buffer => readFileSync(`test/golden/checkpoints/${name}`);
const model = decodeModel(file('fused.safetensors'));
const { dict, storages } = statePieces(model.state);

/** Valid files: [what is fuzzed, the file, where its structure lies (the rest are numbers)]. */
const SUBJECTS: readonly (readonly [
  name: string,
  bytes: Uint8Array,
  structure: readonly [from: number, to: number][],
])[] = [
  ['safetensors', file('fused.safetensors'), [[0, 3600]]],
  ['model description', encodeModel(model), [[0, 1200]]],
  [
    'PyTorch zip',
    file('apple-fused-big-endian.pth'),
    [
      [0, 2600],
      [-4500, 0],
    ],
  ],
  [
    'pickle in a zip',
    torchZip(
      new Map<Piece, Piece>([
        ['state_dict', dict],
        ['epoch', 1],
      ]),
      storages,
    ),
    [[0, 5600]],
  ],
  ['PyTorch legacy', file('timm-checkpoint-legacy.pth.tar'), [[0, 9000]]],
  ['legacy of storages', torchLegacy(dict, storages), [[0, 8400]]],
  [
    'views of one storage',
    file('smp-views-bfloat16.pth'),
    [
      [0, 17000],
      [-700, 0],
    ],
  ],
];

/** Numbers that readers stumble over. */
const ODD = [0, 1, 0x7f, 0x80, 0xff, 0x28, 0x2e, 0x52, 0x63, 0x7d, 0x93, 0x94];

/** A place in the structure mostly, sometimes anywhere. */
function place(rng: Random, length: number, structure: readonly (readonly [number, number])[]): number {
  if (rng.uniform() < 0.1) return rng.int(length);
  const [from, to] = structure[rng.int(structure.length)]!;
  const [start, end] = [from < 0 ? length + from : from, to <= 0 ? length + to : to];
  return Math.min(length - 1, Math.max(0, start + rng.int(end - start)));
}

/** One to four changes: bytes, runs, cuts, pieces copied or taken out. */
function damage(bytes: Uint8Array, structure: readonly (readonly [number, number])[], rng: Random): Uint8Array {
  let made = Buffer.from(bytes);
  const spot = (): number => place(rng, Math.max(1, made.length), structure);
  for (let changes = 1 + rng.int(4); changes > 0 && made.length > 0; changes--) {
    const at = spot();
    const kind = rng.int(8);
    const length = 1 + rng.int(16);
    if (kind < 3) made[at] = rng.int(256);
    else if (kind < 4) made[at] = ODD[rng.int(ODD.length)]!;
    else if (kind < 5) made.fill(ODD[rng.int(ODD.length)]!, at, Math.min(made.length, at + length));
    else if (kind < 6) made.copy(made, at, spot(), made.length);
    else if (kind < 7) made = Buffer.concat([made.subarray(0, at), made.subarray(at + length)]);
    else made = Buffer.concat([made.subarray(0, at), made.subarray(at, at + length), made.subarray(at)]);
  }
  return made;
}

/** The reader gives a model or a UserError, and takes no more bytes than its budget; says whether it read it. */
function survives(bytes: Uint8Array, what: string): boolean {
  const source = memorySource(bytes);
  let taken = 0;
  const counting: ByteSource = {
    size: source.size,
    read(offset, length) {
      taken += length;
      return source.read(offset, length);
    },
  };
  try {
    readModel(counting);
    return true;
  } catch (error) {
    const { name, stack } = error as Error;
    if (name !== 'UserError') expect.fail(`${what}: ${stack}`);
    return false;
  } finally {
    // Four times the file for views that overlap, as much as it for headers and descriptions.
    if (taken > 5 * bytes.length + 2 ** 20) expect.fail(`${what}: ${taken} bytes read of ${bytes.length}`);
  }
}

/** A pickle of instructions at random, with operands that mostly fit. */
const instructions: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          ...[0x28, 0x29, 0x5d, 0x7d, 0x4e, 0x88, 0x32, 0x30, 0x31, 0x74, 0x6c, 0x64].map((c) => Buffer.of(c)),
        ),
      },
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          ...[0x85, 0x86, 0x87, 0x61, 0x65, 0x73, 0x75, 0x52, 0x81, 0x92, 0x62, 0x51, 0x90, 0x91, 0x93, 0x94].map((c) =>
            Buffer.of(c),
          ),
        ),
      },
      { weight: 3, arbitrary: fc.tuple(fc.constantFrom(0x71, 0x68, 0x4b), fc.nat(3)).map((pair) => Buffer.from(pair)) },
      {
        weight: 3,
        arbitrary: fc
          .constantFrom(
            'torch._utils._rebuild_tensor_v2',
            'collections.OrderedDict',
            'torch.FloatStorage',
            'torch._tensor._rebuild_from_type_v2',
            'numpy.dtype',
            'torch.Size',
            'os.system',
          )
          .map((name) => global(name.slice(0, name.lastIndexOf('.')), name.slice(name.lastIndexOf('.') + 1))),
      },
      { weight: 2, arbitrary: fc.oneof(fc.maxSafeInteger(), fc.string(), fc.boolean()).map((value) => piece(value)) },
      { weight: 1, arbitrary: fc.constant(call(global('collections', 'OrderedDict'))) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)) },
    ),
    { maxLength: 60 },
  )
  .map((parts) => Buffer.concat([...parts, Buffer.of(0x2e)]));

/** Declares the tests; `count` inputs for each reader. */
export function fuzzReaders(count: number, seed: number): void {
  test.each(SUBJECTS)(`%s: ${count} damaged files (seed ${seed})`, (name, bytes, structure) => {
    expect(survives(bytes, name)).toBe(true);
    const rng = random(seed, name.length);
    let read = 0;
    for (let i = 0; i < count; i++) read += survives(damage(bytes, structure, rng), `${name}, input ${i}`) ? 1 : 0;
    // Damage to numbers goes unseen, damage to the structure does not: both were met.
    expect(read).toBeGreaterThan(0);
    expect(read).toBeLessThan(count);
  });

  test(`pickles of ${count} random programs (seed ${seed})`, () => {
    const host = { find: findGlobal, load: (id: unknown) => ({ id }) };
    fc.assert(
      fc.property(instructions, (program) => {
        try {
          readPickle(byteReader(memorySource(program)), host);
        } catch (error) {
          expect(`${(error as Error).name} ${(error as Error).stack}`).toMatch(/^UserError/);
        }
        survives(torchZip(program.subarray(0, -1), []), 'a random program');
      }),
      { numRuns: count, seed },
    );
  });

  test(`descriptions of ${count} random values (seed ${seed})`, () => {
    const { tensors, metadata } = decodeSafetensors(encodeModel(model));
    const description = JSON.parse(metadata[MODEL_KEY]!) as Record<string, unknown>;
    const keys = fc.constantFrom(
      ...Object.keys(description),
      ...Object.keys(description.config as object),
      '__proto__',
    );
    fc.assert(
      fc.property(keys, fc.jsonValue(), fc.boolean(), (key, value, inside) => {
        const config = inside ? { ...(description.config as object), [key]: value } : description.config;
        const changed = { ...description, config, ...(inside ? {} : { [key]: value }) };
        survives(
          encodeSafetensors(tensors, { [MODEL_KEY]: JSON.stringify(changed) }),
          `${key}: ${JSON.stringify(value)}`,
        );
      }),
      { numRuns: count, seed },
    );
  });
}
