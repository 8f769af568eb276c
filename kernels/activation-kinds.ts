/** What the instruction ACTIVATE computes, shared by the kernels (AssemblyScript) and the lowering (TypeScript). */
export const CLIP = 1;
export const HARD_SIGMOID = 2;
export const HARD_SWISH = 3;
export const SIGMOID = 4;
export const SWISH = 5;
export const GELU = 6;
export const AFFINE = 7;
