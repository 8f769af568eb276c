/** The networks that MobileOne is compared with, and MobileOne itself: one table of what is published of them and of how they are built. */
import { closestMatch, UserError } from '../../core/errors.ts';
import type { Graph } from '../../graph/graph.ts';
import { fuseGraph } from '../../graph/passes/fuse.ts';
import { mobileOne, VARIANTS } from '../mobileone.ts';
import { convitTiny } from './convit.ts';
import { deitTiny } from './deit.ts';
import { efficientNetB0 } from './efficientnet.ts';
import { ghostNet } from './ghostnet.ts';
import { microMobileOne } from './micro.ts';
import { mixNetS } from './mixnet.ts';
import { mnasNetA1 } from './mnasnet.ts';
import { mobileFormer } from './mobile-former.ts';
import { mobileNetV1 } from './mobilenet-v1.ts';
import { mobileNetV2 } from './mobilenet-v2.ts';
import { mobileNetV3 } from './mobilenet-v3.ts';
import { mobileNeXt } from './mobilenext.ts';
import { MOBILEVIT, mobileVit } from './mobilevit.ts';
import { pitTi } from './pit.ts';
import { REPVGG, repVgg } from './repvgg.ts';
import { resNet } from './resnet.ts';
import { shuffleNetV2 } from './shufflenet-v2.ts';

export interface ZooNet {
  readonly title: string;
  /** Millions of parameters, millions of multiply-adds at its size, and top-1 accuracy in percent, as published. */
  readonly published: {
    readonly params: number;
    readonly macs: number;
    readonly top1: number;
    /** Where these numbers stand. */
    readonly source: string;
  };
  /** Whose layers these are. */
  readonly follows: string;
  /** How far (as a part) our counts may be from the published ones, and why, where it is more than rounding (`ROUNDING`). */
  readonly differs?: { readonly params?: number; readonly macs?: number; readonly why: string };
  /** One of the 21 networks of the paper's Figure 2. */
  readonly inFigure2?: true;
  /** Side in pixels of the images for which it is published, where not 224 (`SIZE`). */
  readonly size?: number;
  /** What sides of images it takes, where not all: one only, in pixels, or multiples of so many. */
  readonly sides?: { readonly only: number } | { readonly multiplesOf: number };
  /** The graph, image `[N, 3, H, W]` → `logits` `[N, 1000]`: in the train form if there is one, else with BatchNorm folded. */
  readonly build: () => Graph;
}

/** Side in pixels of the images that networks are counted and measured with. */
export const SIZE = 224;

/** What rounding of published numbers, and pooling counted or not, make. */
export const ROUNDING = 0.02;

const TABLE_9 = 'MobileOne, arXiv 2206.04040, Table 9';
const TABLE_10 = 'MobileOne, arXiv 2206.04040, Table 10; FLOPs: torchvision';
const TABLE_13 = 'MobileOne, arXiv 2206.04040, Table 13';

const andDynamicRelu = (macs: number): string =>
  `two products an element of Dynamic ReLU and one of BatchNorm, which we do not count, would make it ${macs} M`;

/** Parameters (M), multiply-adds (M), top-1 (%), where they stand. */
function published(params: number, macs: number, top1: number, source: string = TABLE_9): ZooNet['published'] {
  return { params, macs, top1, source };
}

const mobileOneNet = (name: keyof typeof VARIANTS, numbers: ZooNet['published']): ZooNet => ({
  title: `MobileOne-${name.toUpperCase()}`,
  published: numbers,
  follows: "Apple's code (apple/ml-mobileone), timm mobileone",
  inFigure2: true,
  build: () => mobileOne(VARIANTS[name], { name: `mobileone_${name}` }),
});

const microNet = (name: 'u0' | 'u1' | 'u2', numbers: ZooNet['published'], differs?: ZooNet['differs']): ZooNet => ({
  title: `MobileOne-${name.replace('u', 'µ')}`,
  published: numbers,
  ...(differs ? { differs } : {}),
  follows: 'our reconstruction from the counts: the specification is not published',
  build: () => microMobileOne(name),
});

const repVggNet = (name: keyof typeof REPVGG, numbers: ZooNet['published'], differs?: ZooNet['differs']): ZooNet => ({
  title: `RepVGG-${name.toUpperCase()}`,
  published: numbers,
  follows: `timm repvgg_${name}`,
  ...(differs ? { differs } : {}),
  build: () => repVgg(REPVGG[name], `repvgg_${name}`),
});

const FIXED = { sides: { only: SIZE } } as const;

const mobileVitNet = (
  name: keyof typeof MOBILEVIT,
  numbers: ZooNet['published'],
  differs: NonNullable<ZooNet['differs']>,
): ZooNet => ({
  title: `MobileViT-${name.toUpperCase()}`,
  published: numbers,
  differs,
  follows: `timm mobilevit_${name}, at 256 px as in arXiv 2110.02178`,
  inFigure2: true,
  size: 256,
  sides: { multiplesOf: 64 },
  build: () => mobileVit(MOBILEVIT[name], `mobilevit_${name}`),
});

/** Every network by the name that commands take, timm's or torchvision's where they have it. */
export const ZOO: Readonly<Record<string, ZooNet>> = {
  mobilenetv1_100: {
    title: 'MobileNetV1 ×1.0',
    published: published(4.2, 575, 70.6),
    follows: 'timm mobilenetv1_100',
    inFigure2: true,
    build: () => mobileNetV1(),
  },
  mobilenetv2_100: {
    title: 'MobileNetV2 ×1.0',
    published: published(3.4, 300, 72),
    follows: 'timm mobilenetv2_100',
    differs: { params: 0.03, why: 'the paper (arXiv 1801.04381, Table 4) has 3.4 M; TensorFlow slim lists 3.47 M' },
    inFigure2: true,
    build: () => mobileNetV2(),
  },
  mobilenetv2_140: {
    title: 'MobileNetV2 ×1.4',
    published: published(6.9, 585, 74.7),
    follows: 'timm mobilenetv2_140',
    differs: {
      params: 0.12,
      why: 'the paper (arXiv 1801.04381, Table 4) has 6.9 M; TensorFlow slim lists 6.06 M for its file of this network',
    },
    build: () => mobileNetV2({ width: 1.4 }),
  },
  mobilenetv3_small_100: {
    title: 'MobileNetV3 Small ×1.0',
    published: published(2.5, 56, 67.4),
    follows: 'timm mobilenetv3_small_100',
    inFigure2: true,
    build: () => mobileNetV3({ size: 'small' }),
  },
  mobilenetv3_large_100: {
    title: 'MobileNetV3 Large ×1.0',
    published: published(5.4, 219, 75.2),
    follows: 'timm mobilenetv3_large_100',
    inFigure2: true,
    build: () => mobileNetV3({ size: 'large' }),
  },
  mnasnet_a1: {
    title: 'MNASNet-A1',
    published: published(3.9, 312, 75.2),
    follows: 'timm semnasnet_100',
    inFigure2: true,
    build: mnasNetA1,
  },
  efficientnet_b0: {
    title: 'EfficientNet-B0',
    published: published(5.3, 390, 77.1),
    follows: 'timm efficientnet_b0',
    inFigure2: true,
    build: efficientNetB0,
  },
  shufflenet_v2_x1_0: {
    title: 'ShuffleNetV2 ×1.0',
    published: published(2.3, 146, 69.4),
    follows: 'torchvision shufflenet_v2_x1_0',
    inFigure2: true,
    build: () => shuffleNetV2({ channels: [116, 232, 464, 1024] }),
  },
  shufflenet_v2_x2_0: {
    title: 'ShuffleNetV2 ×2.0',
    published: published(7.4, 591, 74.9),
    follows: 'torchvision shufflenet_v2_x2_0',
    inFigure2: true,
    build: () => shuffleNetV2({ channels: [244, 488, 976, 2048] }),
  },
  mobilenext_100: {
    title: 'MobileNeXt ×1.0',
    published: published(3.4, 311, 74),
    follows: "the authors' code (yitu-opensource/MobileNeXt, mnext.py)",
    differs: { params: 0.04, why: 'the authors list 3.5 M in their repository, 3.4 M in their paper' },
    build: () => mobileNeXt(),
  },
  mobilenext_140: {
    title: 'MobileNeXt ×1.4',
    published: published(6.1, 590, 76.1),
    follows: "the authors' code (yitu-opensource/MobileNeXt, mnext.py)",
    inFigure2: true,
    build: () => mobileNeXt({ width: 1.4 }),
  },
  mixnet_s: {
    title: 'MixNet-S',
    published: published(4.1, 256, 75.8),
    follows: 'timm mixnet_s',
    differs: {
      macs: 0.07,
      why: 'arXiv 1907.09595 has 256 M; the parameters agree, but convolutions and linear layers make 239 M, and why is not known',
    },
    inFigure2: true,
    build: mixNetS,
  },
  repvgg_a0: repVggNet('a0', published(8.3, 1400, 72.4), { macs: 0.03, why: 'published in tenths of a billion' }),
  repvgg_a1: repVggNet('a1', published(12.8, 2400, 74.5)),
  repvgg_a2: repVggNet('a2', published(25.5, 5100, 76.5)),
  repvgg_b0: repVggNet('b0', published(14.3, 3100, 75.1)),
  repvgg_b1: repVggNet('b1', published(51.8, 11800, 78.4)),
  resnet18: {
    title: 'ResNet-18',
    published: published(11.7, 1814, 69.8, TABLE_10),
    follows: 'timm and torchvision resnet18',
    build: () => resNet({ depths: [2, 2, 2, 2], bottleneck: false }),
  },
  resnet50: {
    title: 'ResNet-50',
    published: published(25.6, 4089, 79, TABLE_10),
    follows: 'timm and torchvision resnet50',
    build: () => resNet({ depths: [3, 4, 6, 3], bottleneck: true }),
  },
  ghostnet_100: {
    title: 'GhostNet ×1.0',
    published: published(5.2, 141, 73.9, 'GhostNet, arXiv 1911.11907'),
    follows: 'timm ghostnet_100',
    build: () => ghostNet(),
  },
  deit_tiny_patch16_224: {
    title: 'DeiT-tiny',
    published: published(5.9, 1300, 72.2),
    follows: 'timm deit_tiny_patch16_224',
    differs: {
      params: 0.04,
      macs: 0.04,
      why: 'the top-1 is that of the network without distillation token, the 5.9 M are those with it (arXiv 2012.12877; top-1 74.5); published in tenths of a billion',
    },
    inFigure2: true,
    ...FIXED,
    build: deitTiny,
  },
  pit_ti_224: {
    title: 'PiT-ti',
    published: published(4.9, 710, 71.3),
    follows: 'timm pit_ti_224',
    inFigure2: true,
    ...FIXED,
    build: pitTi,
  },
  convit_tiny: {
    title: 'ConViT-tiny',
    published: published(5.7, 1000, 73.1),
    follows: 'timm convit_tiny',
    differs: {
      macs: 0.26,
      why: 'published in billions; without the products of attention it has 1075 M',
    },
    ...FIXED,
    build: convitTiny,
  },
  mobilevit_xxs: mobileVitNet('xxs', published(1.3, 373, 69), {
    params: 0.03,
    macs: 0.1,
    why: 'published in tenths of a million; 329 M without the products of attention, so how Table 9 counts is not known',
  }),
  mobilevit_xs: mobileVitNet('xs', published(2.3, 941, 74.8), {
    macs: 0.1,
    why: '909 M without the products of attention, so how Table 9 counts is not known',
  }),
  mobilevit_s: mobileVitNet('s', published(5.6, 1792, 78.4), {
    macs: 0.125,
    why: '1823 M without the products of attention, so how Table 9 counts is not known',
  }),
  mobile_former_52m: {
    title: 'Mobile-Former-52M',
    published: published(3.6, 52, 68.7),
    follows: "the authors' code (AAboys/MobileFormer)",
    differs: {
      params: 0.05,
      macs: 0.06,
      why: `the authors' repository lists 3.5 M; ${andDynamicRelu(52.1)}`,
    },
    inFigure2: true,
    build: () => mobileFormer('52m'),
  },
  mobile_former_96m: {
    title: 'Mobile-Former-96M',
    published: published(4.6, 96, 72.8),
    follows: "the authors' code (AAboys/MobileFormer)",
    differs: { macs: 0.05, why: andDynamicRelu(96.6) },
    build: () => mobileFormer('96m'),
  },
  mobileone_u0: microNet('u0', published(0.57, 68, 58.5, TABLE_13)),
  mobileone_u1: microNet('u1', published(0.98, 139, 66.2, TABLE_13)),
  mobileone_u2: microNet('u2', published(1.3, 214, 69, TABLE_13), {
    params: 0.04,
    why: 'published in tenths of a million',
  }),
  mobileone_s0: mobileOneNet('s0', published(2.1, 275, 71.4)),
  mobileone_s1: mobileOneNet('s1', published(4.8, 825, 75.9)),
  mobileone_s2: mobileOneNet('s2', published(7.8, 1299, 77.4)),
  mobileone_s3: mobileOneNet('s3', published(10.1, 1896, 78.1)),
  mobileone_s4: mobileOneNet('s4', published(14.8, 2978, 79.4)),
};

/** Whether a name is one of the zoo's. */
export function isZooNet(name: string): boolean {
  return Object.hasOwn(ZOO, name.toLowerCase());
}

/** A network by name; an unknown one gets a close-match hint. */
export function zooNet(name: string): ZooNet {
  if (isZooNet(name)) return ZOO[name.toLowerCase()]!;
  const names = Object.keys(ZOO);
  const near = closestMatch(name, names);
  throw new UserError(
    `There is no network "${name}".`,
    `${near ? `Did you mean ${near}? ` : ''}Choose one of ${names.join(', ')}.`,
  );
}

/** The graph of a network: `fused` (all have it), or `train` where the network has one (RepVGG, MobileOne); undefined if not. */
export function zooGraph(name: string, form: 'fused'): Graph;
export function zooGraph(name: string, form: 'train'): Graph | undefined;
export function zooGraph(name: string, form: 'train' | 'fused'): Graph | undefined {
  const graph = zooNet(name).build();
  if (form === 'fused') return fuseGraph(graph);
  return graph.nodes.some(({ kind }) => kind === 'RepConv') ? graph : undefined;
}
