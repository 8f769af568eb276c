/** The instructions of a MobileOne that answers; those of one that learns are in training.ts, those of other networks in baselines.ts. */
import * as op from './opcodes';
import * as activation from './activation';
import * as dense from './dense';
import * as dw from './depthwise';
import * as ew from './elementwise';
import * as losses from './loss';
import * as pack from './pack';

/** Thread `tid` of `nt` does its share of the instruction at `p`; false if it is none of these. */
export function execute(p: usize, tid: i32, nt: i32): bool {
  switch (load<i32>(p)) {
    case op.NCHW_TO_NHWC: ew.nchwToNhwc(p, tid, nt); return true;
    case op.PREPROCESS: ew.preprocess(p, tid, nt); return true;
    case op.CONV_ROWS: dense.convRows(p, tid, nt); return true;
    case op.GEMM: dense.runGemm(p, tid, nt); return true;
    case op.PACK_ROWS: pack.packRows(p, tid, nt); return true;
    case op.DW_FORWARD: dw.dwForward(p, tid, nt); return true;
    case op.DW_ANY: ew.depthwiseAny(p, tid, nt); return true;
    case op.RELU: ew.relu(p, tid, nt); return true;
    case op.ACTIVATE: activation.activate(p, tid, nt); return true;
    case op.ADD: ew.add(p, tid, nt); return true;
    case op.MUL: ew.mul(p, tid, nt); return true;
    case op.MUL_CHANNELS: ew.mulChannels(p, tid, nt); return true;
    case op.AFFINE: ew.affine(p, tid, nt); return true;
    case op.FOLD_NORM: ew.foldNorm(p, tid, nt); return true;
    case op.AVERAGE_POOL: ew.averagePool(p, tid, nt); return true;
    case op.SOFTMAX: losses.softmax(p, tid, nt); return true;
    default: return false;
  }
}
