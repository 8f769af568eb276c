/**
 * The networks of the zoo, one of each family here and all of them in the long tests: the reference engine against PyTorch, ONNX Runtime
 * (through our ONNX file), LiteRT.js (through our TFLite file) and the wasm engine against the reference.
 */
import { readFileSync } from 'node:fs';
import { test } from 'vitest';
import { ortEngine } from '../../src/engine/ort-node.ts';
import { nodeWasmEngine } from '../../src/engine/wasm/node.ts';
import { ZOO } from '../../src/models/zoo/registry.ts';
import { liteRtEngine } from './cases/litert.ts';
import { type GoldenNet, goldenOf } from './cases/zoo.ts';
import { checkNet } from './cases/zoo-check.ts';

const { nets } = JSON.parse(readFileSync('test/golden/zoo.json', 'utf8')) as { nets: Record<string, GoldenNet> };
const ONE_OF_EACH = [
  ...['mobilenetv2_100', 'mobilenetv3_small_100', 'efficientnet_b0', 'mixnet_s', 'mobilenext_100'],
  ...['shufflenet_v2_x1_0', 'ghostnet_100', 'resnet18', 'repvgg_a0', 'mobileone_u0'],
  // ConViT and DeiT take seconds at 224 px, which is their only size.
  ...['pit_ti_224', 'mobilevit_xxs', 'mobile_former_52m'],
];

test.each(process.env.MOBILEONE_LONG ? Object.keys(ZOO) : ONE_OF_EACH)('%s', async (name) => {
  await checkNet(name, goldenOf(nets, name), [
    await ortEngine(),
    await nodeWasmEngine({ threads: 1 }),
    await liteRtEngine(),
  ]);
});
