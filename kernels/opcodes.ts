/**
 * Opcodes of the instruction list, shared by the kernels (AssemblyScript) and the lowering (TypeScript).
 * The arguments of each are listed in `kernels/main.ts`, where the list is executed.
 */
export const NCHW_TO_NHWC = 1;
export const PREPROCESS = 2;
export const IM2COL = 3;
export const GEMM = 4;
export const GEMM_INPUT_GRAD = 5;
export const CORRELATE = 6;
export const REDUCE_MOMENTS = 7;
export const FOLD_DENSE = 8;
export const FOLD_DENSE_GRAD = 9;
export const REDUCE_CURVATURE = 10;
export const INPUT_GRAD_CONSTANT = 11;
export const PACK_ROWS = 12;
export const PACK_COLUMNS = 13;
export const REDUCE_SUM = 14;
export const DW_FORWARD = 15;
export const DW_MOMENTS = 16;
export const DW_FOLD = 17;
export const DW_CORRELATE = 18;
export const DW_FOLD_GRAD = 19;
export const DW_INPUT_GRAD = 20;
export const DW_ANY = 21;
export const RELU = 22;
export const ADD = 24;
export const MUL = 25;
export const MUL_CHANNELS = 26;
export const AFFINE = 27;
export const AVERAGE_POOL = 28;
export const SOFTMAX = 29;
export const LOSS = 30;
export const RELU_GRAD = 31;
export const SIGMOID_GRAD = 32;
export const MUL_CHANNELS_GRAD = 33;
export const AVERAGE_POOL_GRAD = 34;
export const LOSS_GRAD = 35;
export const SGD = 36;
export const EMA = 37;
export const FOLD_NORM = 38;
export const MEAN = 39;
export const CENTER = 40;
export const DW_MOMENTS_DIRECT = 41;
export const DW_CORRELATE_DIRECT = 42;
export const CONV_ROWS = 43;
export const EXPLICIT_FORWARD = 60;
export const EXPLICIT_FOLD = 61;
export const EXPLICIT_OUTPUT = 62;
export const EXPLICIT_REDUCE = 63;
export const EXPLICIT_FOLD_GRAD = 64;
export const EXPLICIT_INPUT_GRAD = 65;
export const ADAMW = 70;
export const ACCUMULATE = 71;
export const SUM_SQUARES = 72;
export const CLIP_SCALE = 73;
export const COL2IM = 75;
export const BCE_LOSS = 80;
export const BCE_GRAD = 81;
export const DISTILL = 82;
export const ACTIVATE = 90;
export const PRELU = 91;
export const POOL = 92;
export const PAD = 93;
export const COPY_CHANNELS = 94;
export const SHUFFLE_CHANNELS = 95;

/** What ACTIVATE computes. */
export const CLIP = 1;
export const HARD_SIGMOID = 2;
export const HARD_SWISH = 3;
export const SIGMOID = 4;
export const SWISH = 5;
export const GELU = 6;

/** 32-bit words of one instruction: the opcode and its arguments. */
export const INSTRUCTION_WORDS = 28;
