/**
 * Which form of a pointwise RepConv is cheaper in training: online (one product, statistics from the moments of the input) or
 * explicit (every branch computed, then normalized), by counted multiply-adds.
 */

export type RepConvForm = 'online' | 'explicit';

export interface RepConvSize {
  /** Positions: N · H · W. */
  readonly positions: number;
  /** Input channels (padded). */
  readonly K: number;
  /** Output channels (padded). */
  readonly O: number;
  /** Branches with a kernel. */
  readonly branches: number;
  readonly skip: boolean;
  readonly needsInputGrad: boolean;
}

export interface RepConvCost {
  /** Multiply-adds of forward and backward in the online form. */
  readonly online: number;
  /** The same in the explicit form, its passes over memory counted as multiply-adds. */
  readonly explicit: number;
  readonly form: RepConvForm;
}

/** Multiply-adds in the time of reading or writing one float of a tensor that does not fit the cache (measured, docs/log.md). */
const MACS_PER_FLOAT = 12;

/** Counts both forms and names the cheaper one. */
export function repConvCost(size: RepConvSize): RepConvCost {
  const { positions: P, K, O, branches: J, needsInputGrad } = size;
  const skip = Number(size.skip);
  const inputGrad = Number(needsInputGrad);
  const products = P * K * O;
  // Moments are symmetric (half); the input gradient reads dz and x; folds are W·S, and Wᵀ diag(dv) W (half).
  const online = products * (2 + inputGrad) + P * K * K * (0.5 + inputGrad) + J * O * K * K * (1 + 0.5 * inputGrad);
  // Written: z, dz_i. Read: z for y and for the two backward passes, dz twice; x and dx for the skip branch.
  const floats = P * O * (5 * J + 4 + 4 * skip);
  const explicit = products * J * (2 + inputGrad) + MACS_PER_FLOAT * floats;
  return { online, explicit, form: J > 0 && explicit < online ? 'explicit' : 'online' };
}
