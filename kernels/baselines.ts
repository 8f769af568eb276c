/** The instructions of the networks that a MobileOne is compared with, beside those of inference.ts. */
import * as op from './opcodes';
import * as activation from './activation';
import * as broadcast from './broadcast';
import * as strided from './strided';
import * as tokens from './tokens';
import * as window from './window';

/** Thread `tid` of `nt` does its share of the instruction at `p`; false if it is none of these. */
export function execute(p: usize, tid: i32, nt: i32): bool {
  switch (load<i32>(p)) {
    case op.PRELU: activation.prelu(p, tid, nt); return true;
    case op.MAX: broadcast.largest(p, tid, nt); return true;
    case op.BROADCAST: broadcast.broadcast(p, tid, nt); return true;
    case op.COPY: strided.copy(p, tid, nt); return true;
    case op.COMBINE: strided.combine(p, tid, nt); return true;
    case op.PACK_MATRICES: tokens.packMatrices(p, tid, nt); return true;
    case op.MAT_MUL: tokens.matMul(p, tid, nt); return true;
    case op.SOFTMAX_ROWS: tokens.softmaxRows(p, tid, nt); return true;
    case op.LAYER_NORM: tokens.layerNorm(p, tid, nt); return true;
    case op.POOL: window.pool(p, tid, nt); return true;
    case op.PAD: window.pad(p, tid, nt); return true;
    case op.COPY_CHANNELS: window.copyChannels(p, tid, nt); return true;
    case op.SHUFFLE_CHANNELS: window.shuffleChannels(p, tid, nt); return true;
    default: return false;
  }
}
