/** The one preprocessing: what training, evaluation, export and measuring agree on. */

export interface Preprocessing {
  /** Pixels of the square input. */
  readonly size: number;
  /** Evaluation resizes the short side to size / cropPct and takes the center (timm's crop_pct). */
  readonly cropPct: number;
  /** Per channel, of values in 0 … 1. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly interpolation: 'bilinear';
}

/** ImageNet statistics, as timm and MMPretrain use for MobileOne (crop_pct 0.875 as timm's S0). */
export const DEFAULT_PREPROCESSING: Preprocessing = {
  size: 224,
  cropPct: 0.875,
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
  interpolation: 'bilinear',
};

/**
 * Mean and deviation that are given, or else the usual ones; of other channels than these are for, the average, as suits
 * weights that were summed or repeated (`adaptInputChannels`).
 */
export function normalizationOf(
  {
    mean,
    std,
    in_chans,
  }: {
    readonly mean: readonly number[] | null;
    readonly std: readonly number[] | null;
    readonly in_chans: number;
  },
  usual: Pick<Preprocessing, 'mean' | 'std'> = DEFAULT_PREPROCESSING,
): Pick<Preprocessing, 'mean' | 'std'> {
  const forChannels = (values: readonly number[]): readonly number[] => {
    if (values.length === in_chans) return values;
    const average = values.reduce((sum, value) => sum + value, 0) / values.length;
    return Array<number>(in_chans).fill(Number(average.toPrecision(6)));
  };
  return { mean: mean ?? forChannels(usual.mean), std: std ?? forChannels(usual.std) };
}

/** A rectangle of whole pixels. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** What evaluation does to an image of width × height: resize to `resized`, then cut out `crop` (size × size). */
export function evalGeometry(
  width: number,
  height: number,
  { size, cropPct }: Pick<Preprocessing, 'size' | 'cropPct'>,
): { resized: { width: number; height: number }; crop: Box } {
  const short = Math.max(size, Math.floor(size / cropPct));
  const scale = short / Math.min(width, height);
  const resized = {
    width: width <= height ? short : Math.max(size, Math.floor(width * scale)),
    height: height <= width ? short : Math.max(size, Math.floor(height * scale)),
  };
  const crop = {
    x: Math.floor((resized.width - size) / 2),
    y: Math.floor((resized.height - size) / 2),
    width: size,
    height: size,
  };
  return { resized, crop };
}
