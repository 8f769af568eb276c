/** The tables of the MobileOne paper (arXiv 2206.04040) that studies set their results beside, by the names of the zoo. */

/** A row of Table 9; milliseconds on a Xeon Gold 5118, an RTX 2080 Ti (TensorRT, median of 100), an iPhone 12 (Core ML, minimum). */
export interface PaperNet {
  /** As the paper writes it. */
  readonly title: string;
  readonly top1: number;
  /** Millions of multiply-adds ("FLOPs") and of parameters. */
  readonly macs: number;
  readonly params: number;
  readonly cpu: number;
  readonly gpu?: number;
  readonly mobile: number;
  /** One of the 21 networks of Figure 2, which Table 1 is computed from. */
  readonly inFigure2?: true;
}

const row = (
  title: string,
  [top1, macs, params]: readonly [number, number, number],
  [cpu, gpu, mobile]: readonly [number, number | undefined, number],
): PaperNet => ({ title, top1, macs, params, cpu, ...(gpu === undefined ? {} : { gpu }), mobile });
const figure2 = (...values: Parameters<typeof row>): PaperNet => ({ ...row(...values), inFigure2: true });
const none = undefined;

/** Table 9: ImageNet top-1 and latency of all networks. */
export const TABLE_9: Readonly<Record<string, PaperNet>> = {
  mobile_former_96m: row('Mobileformer-96', [72.8, 96, 4.6], [37.36, none, 16.95]),
  convit_tiny: row('ConViT-tiny', [73.1, 1000, 5.7], [28.95, none, 10.99]),
  mobilevit_s: figure2('MobileViT-S', [78.4, 1792, 5.6], [30.76, none, 9.21]),
  mobile_former_52m: figure2('Mobileformer-52', [68.7, 52, 3.6], [29.23, none, 9.02]),
  pit_ti_224: figure2('PiT-ti', [71.3, 710, 4.9], [16.37, 1.97, 8.81]),
  mobilevit_xs: figure2('MobileViT-XS', [74.8, 941, 2.3], [27.21, none, 6.97]),
  deit_tiny_patch16_224: figure2('DeiT-tiny', [72.2, 1300, 5.9], [16.68, 1.78, 4.78]),
  mobilevit_xxs: figure2('MobileViT-XXS', [69.0, 373, 1.3], [23.03, none, 4.7]),
  repvgg_b1: row('RepVGG-B1', [78.4, 11800, 51.8], [193.7, 3.17, 3.73]),
  repvgg_a2: row('RepVGG-A2', [76.5, 5100, 25.5], [93.43, 2.41, 2.41]),
  mobileone_s4: figure2('MobileOne-S4', [79.4, 2978, 14.8], [26.6, 0.95, 1.86]),
  repvgg_b0: row('RepVGG-B0', [75.1, 3100, 14.3], [55.97, 1.45, 1.82]),
  efficientnet_b0: figure2('EfficientNet-B0', [77.1, 390, 5.3], [28.71, 1.35, 1.72]),
  repvgg_a1: row('RepVGG-A1', [74.5, 2400, 12.8], [47.15, 1.42, 1.68]),
  mobileone_s3: figure2('MobileOne-S3', [78.1, 1896, 10.1], [16.47, 0.76, 1.53]),
  mobilenetv2_140: row('MobileNetV2-x1.4', [74.7, 585, 6.9], [15.67, 0.8, 1.36]),
  repvgg_a0: row('RepVGG-A0', [72.4, 1400, 8.3], [43.61, 1.23, 1.28]),
  mobilenext_140: figure2('MobileNeXt-x1.4', [76.1, 590, 6.1], [18.06, 1.04, 1.27]),
  mobileone_s2: figure2('MobileOne-S2', [77.4, 1299, 7.8], [14.87, 0.72, 1.18]),
  mixnet_s: figure2('MixNet-S', [75.8, 256, 4.1], [40.09, 2.41, 1.13]),
  mobilenetv3_large_100: figure2('MobileNetV3-L', [75.2, 219, 5.4], [17.09, 3.8, 1.09]),
  shufflenet_v2_x2_0: figure2('ShuffleNetV2-2.0', [74.9, 591, 7.4], [20.85, 4.76, 1.08]),
  mnasnet_a1: figure2('MNASNet-A1', [75.2, 312, 3.9], [24.06, 0.95, 1.0]),
  mobilenetv2_100: figure2('MobileNetV2-x1.0', [72.0, 300, 3.4], [13.65, 0.69, 0.98]),
  mobilenetv1_100: figure2('MobileNetV1', [70.6, 575, 4.2], [10.65, 0.58, 0.95]),
  mobilenext_100: row('MobileNeXt-x1.0', [74.0, 311, 3.4], [16.04, 1.02, 0.92]),
  mobileone_s1: figure2('MobileOne-S1', [75.9, 825, 4.8], [13.04, 0.66, 0.89]),
  mobilenetv3_small_100: figure2('MobileNetV3-S', [67.4, 56, 2.5], [10.38, 3.74, 0.83]),
  shufflenet_v2_x1_0: figure2('ShuffleNetV2-1.0', [69.4, 146, 2.3], [16.6, 4.58, 0.68]),
  mobileone_s0: figure2('MobileOne-S0', [71.4, 275, 2.1], [10.55, 0.56, 0.79]),
};

/** Table 1: Spearman's rank correlation of latency with FLOPs and with parameters, and the p-values. */
export const TABLE_1 = {
  mobile: { device: 'iPhone 12', macs: { rho: 0.47, p: 0.03 }, params: { rho: 0.3, p: 0.18 } },
  cpu: { device: 'Xeon Gold 5118', macs: { rho: 0.06, p: 0.8 }, params: { rho: 0.07, p: 0.77 } },
} as const;

/** Table 2: the 30-layer network with different activations, milliseconds on an iPhone 12. */
export const TABLE_2 = {
  relu: 1.53,
  gelu: 1.63,
  'se-relu': 2.1,
  silu: 2.54,
  'dynamic-shift-max': 57.04,
  'dynamic-relu-a': 273.49,
  'dynamic-relu-b': 242.14,
} as const;

/** Table 5: top-1 with and without branches that are fused. */
export const TABLE_5 = {
  s0: { with: 71.4, without: 69.6 },
  s1: { with: 75.9, without: 74.6 },
  s3: { with: 78.1, without: 77.2 },
} as const;

/** Table 6: top-1 by the number of branches k, from 1 to 5. */
export const TABLE_6 = {
  s0: [70.9, 70.7, 71.3, 71.4, 71.1],
  s1: [75.9, 75.7, 75.6, 75.6, 75.2],
} as const;

/** Table 13: micro networks; millions of multiply-adds and parameters, milliseconds on an iPhone 12. */
export const TABLE_13 = {
  mobileone_u0: { top1: 58.5, macs: 68, params: 0.57, mobile: 0.45 },
  mobileone_u1: { top1: 66.2, macs: 139, params: 0.98, mobile: 0.47 },
  mobileone_u2: { top1: 69, macs: 214, params: 1.3, mobile: 0.5 },
} as const;
