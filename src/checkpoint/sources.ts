/** Where weights come from, and how each source prepares images: one table. */
import { DEFAULT_PREPROCESSING, type Preprocessing } from '../images/preprocess.ts';
import type { MobileOneConfig } from '../models/mobileone.ts';
import type { Naming } from './names.ts';

/** Who wrote the weights, as far as their names tell. */
export type Source = 'mobileone' | 'timm' | 'apple' | 'smp' | 'mmpretrain' | 'corenet';

interface SourceFacts {
  readonly title: string;
  /** Share of the resized image that is cropped: of S0 and of the other variants. */
  readonly cropPct: { readonly s0: number; readonly others: number };
  /** Whether ImageNet's mean and deviation are subtracted and divided by; else pixels are only brought to 0 … 1. */
  readonly normalized: boolean;
  /** Who says so. */
  readonly documented: string;
}

const TIMM_CROP = { s0: 0.875, others: 0.9 };
const USUAL_CROP = { s0: 0.875, others: 0.875 };

export const SOURCES: Readonly<Record<Exclude<Source, 'mobileone'>, SourceFacts>> = {
  timm: { title: 'timm', cropPct: TIMM_CROP, normalized: true, documented: 'as timm documents' },
  apple: {
    title: "Apple's code",
    cropPct: TIMM_CROP,
    normalized: true,
    documented: "as timm documents for Apple's weights, since Apple documents none",
  },
  smp: {
    title: "segmentation_models.pytorch (Apple's names, no classifier)",
    cropPct: TIMM_CROP,
    normalized: true,
    documented: 'as segmentation_models.pytorch documents',
  },
  mmpretrain: { title: 'MMPretrain', cropPct: USUAL_CROP, normalized: true, documented: 'as MMPretrain documents' },
  corenet: {
    title: 'CoreNet',
    cropPct: USUAL_CROP,
    normalized: false,
    documented: "as CoreNet's recipe has it: no mean and std",
  },
};

/** The source of weights without a description of ours. */
export function sourceOf(naming: Naming, hasClassifier: boolean): Exclude<Source, 'mobileone'> {
  return naming === 'apple' && !hasClassifier ? 'smp' : naming;
}

/** How the source prepares images. Gray and other channels than RGB, for which nobody documents any, get 0.5. */
export function sourcePreprocessing(
  source: Exclude<Source, 'mobileone'>,
  { in_chans }: MobileOneConfig,
  variant: string | undefined,
): Preprocessing {
  const { cropPct, normalized } = SOURCES[source];
  const all = (value: number): number[] => Array<number>(in_chans).fill(value);
  const usual = in_chans === 3 ? {} : { mean: all(0.5), std: all(0.5) };
  return {
    ...DEFAULT_PREPROCESSING,
    cropPct: variant === undefined || variant === 's0' ? cropPct.s0 : cropPct.others,
    ...(normalized ? usual : { mean: all(0), std: all(1) }),
  };
}
