/**
 * Executes an instruction list. All threads run the same list; each does its fixed share of an instruction, then waits
 * for the others, so results are bit-identical for the same number of threads.
 */
import * as op from './opcodes';
import * as baselines from './baselines';
import * as inference from './inference';
import * as training from './training';
import { FULL } from './generated/full';
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
  if (inference.execute(p, tid, nt)) return;
  if (FULL) {
    if (!baselines.execute(p, tid, nt)) training.execute(p, tid, nt);
  } else unreachable();
}
