/**
 * Executes an instruction list. All threads run the same list; each does its fixed share of an instruction, then waits
 * for the others, so results are bit-identical for the same number of threads.
 */
import * as op from './opcodes';
import * as activation from './activation';
import * as dense from './dense';
import * as dw from './depthwise';
import * as distill from './distill';
import * as direct from './depthwise-direct';
import * as dwGrad from './depthwise-grad';
import * as explicit from './explicit';
import * as ew from './elementwise';
import * as fold from './fold';
import * as losses from './loss';
import * as pack from './pack';
import * as update from './update';
import * as window from './window';
export { setTile } from './tile';

/** Control block at address 0: arrivals and generation of the barrier. */
const ARRIVED: usize = 64, GENERATION: usize = 128;
const SPINS: i32 = 20000;
/** How long a thread sleeps at the barrier before it goes back to its caller, which looks whether all threads still live. */
const PATIENCE: i64 = 100_000_000;

/** This thread's place in its run (every thread has an instance of its own): the next instruction, and how many are left. */
let next: usize = 0, left: i32 = 0, thread: i32 = 0, threads: i32 = 1;
/** The generation in which this thread arrived at the barrier. */
let arrivedIn: i32 = 0;

/** Tells the others that this thread has done its share. */
function arrive(): void {
  arrivedIn = atomic.load<i32>(GENERATION);
  if (atomic.add<i32>(ARRIVED, 1) + 1 == threads) {
    atomic.store<i32>(ARRIVED, 0);
    atomic.store<i32>(GENERATION, arrivedIn + 1);
    atomic.notify(GENERATION);
  }
}

/** Waits until all threads have arrived; false when some have not after a while. */
function passes(): bool {
  for (let i = 0; i < SPINS; i++) if (atomic.load<i32>(GENERATION) != arrivedIn) return true;
  atomic.wait<i32>(GENERATION, arrivedIn, PATIENCE);
  return atomic.load<i32>(GENERATION) != arrivedIn;
}

function proceed(): bool {
  while (left > 0) {
    execute(next, thread, threads);
    next += op.INSTRUCTION_WORDS << 2;
    left--;
    if (threads > 1) {
      arrive();
      if (!passes()) return false;
    }
  }
  return true;
}

/** Runs `count` instructions at `list` as thread `tid` of `nt`. True when done; false when other threads are late: `resume`. */
export function run(list: usize, count: i32, tid: i32, nt: i32): bool {
  next = list;
  left = count;
  thread = tid;
  threads = nt;
  return proceed();
}

/** Goes on with a run whose other threads were late; returns as `run` does. */
export function resume(): bool {
  return passes() && proceed();
}

function execute(p: usize, tid: i32, nt: i32): void {
  switch (load<i32>(p)) {
    case op.NCHW_TO_NHWC: ew.nchwToNhwc(p, tid, nt); break;
    case op.PREPROCESS: ew.preprocess(p, tid, nt); break;
    case op.IM2COL: pack.im2col(p, tid, nt); break;
    case op.CONV_ROWS: dense.convRows(p, tid, nt); break;
    case op.GEMM: dense.runGemm(p, tid, nt); break;
    case op.GEMM_INPUT_GRAD: dense.runGemmInputGrad(p, tid, nt); break;
    case op.CORRELATE: dense.runCorrelate(p, tid, nt); break;
    case op.REDUCE_MOMENTS: dense.reduceMoments(p, tid, nt); break;
    case op.FOLD_DENSE: dense.foldDense(p, tid, nt); break;
    case op.FOLD_DENSE_GRAD: dense.foldDenseGrad(p, tid, nt); break;
    case op.REDUCE_CURVATURE: dense.reduceCurvature(p, tid, nt); break;
    case op.INPUT_GRAD_CONSTANT: dense.inputGradConstant(p, tid, nt); break;
    case op.PACK_ROWS: pack.packRows(p, tid, nt); break;
    case op.PACK_COLUMNS: pack.packAllColumns(p, tid, nt); break;
    case op.REDUCE_SUM: dense.reduceSum(p, tid, nt); break;
    case op.CENTER: dense.center(p, tid, nt); break;
    case op.EXPLICIT_FORWARD: explicit.explicitForward(p, tid, nt); break;
    case op.EXPLICIT_FOLD: explicit.explicitFold(p, tid, nt); break;
    case op.EXPLICIT_OUTPUT: explicit.explicitOutput(p, tid, nt); break;
    case op.EXPLICIT_REDUCE: explicit.explicitReduce(p, tid, nt); break;
    case op.EXPLICIT_FOLD_GRAD: explicit.explicitFoldGrad(p, tid, nt); break;
    case op.EXPLICIT_INPUT_GRAD: explicit.explicitInputGrad(p, tid, nt); break;
    case op.DW_MOMENTS_DIRECT: direct.dwMomentsDirect(p, tid, nt); break;
    case op.DW_CORRELATE_DIRECT: direct.dwCorrelateDirect(p, tid, nt); break;
    case op.DW_FORWARD: dw.dwForward(p, tid, nt); break;
    case op.DW_MOMENTS: dw.dwMoments(p, tid, nt); break;
    case op.DW_FOLD: dw.dwFold(p, tid, nt); break;
    case op.DW_CORRELATE: dwGrad.dwCorrelate(p, tid, nt); break;
    case op.DW_FOLD_GRAD: dwGrad.dwFoldGrad(p, tid, nt); break;
    case op.DW_INPUT_GRAD: dwGrad.dwInputGrad(p, tid, nt); break;
    case op.DW_ANY: ew.depthwiseAny(p, tid, nt); break;
    case op.RELU: ew.relu(p, tid, nt); break;
    case op.ADD: ew.add(p, tid, nt); break;
    case op.MUL: ew.mul(p, tid, nt); break;
    case op.MUL_CHANNELS: ew.mulChannels(p, tid, nt); break;
    case op.MUL_CHANNELS_GRAD: ew.mulChannelsGrad(p, tid, nt); break;
    case op.AFFINE: ew.affine(p, tid, nt); break;
    case op.FOLD_NORM: ew.foldNorm(p, tid, nt); break;
    case op.AVERAGE_POOL: ew.averagePool(p, tid, nt); break;
    case op.AVERAGE_POOL_GRAD: ew.averagePoolGrad(p, tid, nt); break;
    case op.RELU_GRAD: ew.reluGrad(p, tid, nt); break;
    case op.SIGMOID_GRAD: ew.sigmoidGrad(p, tid, nt); break;
    case op.SOFTMAX: losses.softmax(p, tid, nt); break;
    case op.LOSS: losses.loss(p, tid, nt); break;
    case op.MEAN: losses.mean(p, tid, nt); break;
    case op.LOSS_GRAD: losses.lossGrad(p, tid, nt); break;
    case op.SGD: update.sgd(p, tid, nt); break;
    case op.EMA: update.ema(p, tid, nt); break;
    case op.ADAMW: update.adamw(p, tid, nt); break;
    case op.ACCUMULATE: update.accumulate(p, tid, nt); break;
    case op.SUM_SQUARES: update.sumSquares(p, tid, nt); break;
    case op.CLIP_SCALE: update.clipScale(p, tid, nt); break;
    case op.BCE_LOSS: losses.bceLoss(p, tid, nt); break;
    case op.BCE_GRAD: losses.bceGrad(p, tid, nt); break;
    case op.DISTILL: distill.distill(p, tid); break;
    case op.ACTIVATE: activation.activate(p, tid, nt); break;
    case op.PRELU: activation.prelu(p, tid, nt); break;
    case op.POOL: window.pool(p, tid, nt); break;
    case op.PAD: window.pad(p, tid, nt); break;
    case op.COPY_CHANNELS: window.copyChannels(p, tid, nt); break;
    case op.SHUFFLE_CHANNELS: window.shuffleChannels(p, tid, nt); break;
    case op.COL2IM: fold.col2im(p, tid, nt); break;
    default: unreachable();
  }
}
