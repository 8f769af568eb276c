/** What a kernel thread does in Node and in browsers, as text: it runs in a worker of any bundle, without imports. */

/**
 * A function expression `(start, tell) => void`: waits on the command cell, runs its share of each instruction list, and ends when
 * told. It tells when it waits for the first command and, as thread 0 (of a team led from outside), when a run is done.
 * A run is given up (`aborted`) when a thread is gone: the others would wait for it in the barrier for ever.
 */
export const WORKER_LOOP = `({ module, memory, tid, threads, tile, control }, tell) => {
  const cells = new Int32Array(memory.buffer, 0, 256);
  const kernels = new WebAssembly.Instance(module, { env: { memory } }).exports;
  kernels.setTile(tile);
  let seen = 0;
  tell();
  for (;;) {
    Atomics.wait(cells, control.command / 4, seen);
    const command = Atomics.load(cells, control.command / 4);
    if (command === seen) continue;
    seen = command;
    const count = cells[control.count / 4];
    if (count < 0) return;
    try {
      let done = kernels.run(cells[control.list / 4], count, tid, threads);
      while (!done && !Atomics.load(cells, control.aborted / 4)) done = kernels.resume();
      if (done && tid === 0) tell();
    } catch (error) {
      Atomics.store(cells, control.aborted / 4, 1);
      Atomics.notify(cells, control.generation / 4);
      throw error;
    }
  }
}`;

/** Everything a thread is started with. */
export interface ThreadStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly tid: number;
  readonly threads: number;
  /** Rows of the matrix tile. */
  readonly tile: number;
  readonly control: Readonly<Record<string, number>>;
}
