/** The instructions that only a training step has. */
import * as op from './opcodes';
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

/** Thread `tid` of `nt` does its share of the instruction at `p`. */
export function execute(p: usize, tid: i32, nt: i32): void {
  switch (load<i32>(p)) {
    case op.IM2COL: pack.im2col(p, tid, nt); break;
    case op.GEMM_INPUT_GRAD: dense.runGemmInputGrad(p, tid, nt); break;
    case op.CORRELATE: dense.runCorrelate(p, tid, nt); break;
    case op.REDUCE_MOMENTS: dense.reduceMoments(p, tid, nt); break;
    case op.FOLD_DENSE: dense.foldDense(p, tid, nt); break;
    case op.FOLD_DENSE_GRAD: dense.foldDenseGrad(p, tid, nt); break;
    case op.REDUCE_CURVATURE: dense.reduceCurvature(p, tid, nt); break;
    case op.INPUT_GRAD_CONSTANT: dense.inputGradConstant(p, tid, nt); break;
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
    case op.DW_MOMENTS: dw.dwMoments(p, tid, nt); break;
    case op.DW_FOLD: dw.dwFold(p, tid, nt); break;
    case op.DW_CORRELATE: dwGrad.dwCorrelate(p, tid, nt); break;
    case op.DW_FOLD_GRAD: dwGrad.dwFoldGrad(p, tid, nt); break;
    case op.DW_INPUT_GRAD: dwGrad.dwInputGrad(p, tid, nt); break;
    case op.MUL_CHANNELS_GRAD: ew.mulChannelsGrad(p, tid, nt); break;
    case op.AVERAGE_POOL_GRAD: ew.averagePoolGrad(p, tid, nt); break;
    case op.RELU_GRAD: ew.reluGrad(p, tid, nt); break;
    case op.SIGMOID_GRAD: ew.sigmoidGrad(p, tid, nt); break;
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
    case op.COL2IM: fold.col2im(p, tid, nt); break;
    default: unreachable();
  }
}
