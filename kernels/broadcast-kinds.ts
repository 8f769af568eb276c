/** What the instruction BROADCAST computes, shared by the kernels (AssemblyScript) and the lowering (TypeScript). */
export const ADD = 1;
export const MUL = 2;
export const MAX = 3;
