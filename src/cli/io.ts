/** What a command sees of the process: text out, the terminal, the environment and interruptions. */

export interface Io {
  /** Writes a line of results. */
  out(line: string): void;
  /** Writes a line of complaint or of by-the-way. */
  err(line: string): void;
  /** Writes to the terminal as it is (progress bars). */
  raw(text: string): void;
  /** Whether results go to a terminal. */
  readonly terminal: boolean;
  /** Width of the terminal, in characters. */
  columns(): number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls the handler at each Ctrl-C (or SIGTERM) until the returned function is called. */
  onInterrupt(handler: (count: number) => void): () => void;
  /** Ends the process at once. */
  quit(code: number): void;
}

/** npx and npm pass Ctrl-C on to a process that has already got it; what comes so soon is the same one. */
const SAME_INTERRUPT_MS = 300;

/** The Io of this process. A closed pipe (`| head`) ends it quietly. */
export function processIo(): Io {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(0);
      throw error;
    });
  }
  return {
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    raw: (text) => process.stdout.write(text),
    terminal: process.stdout.isTTY === true,
    columns: () => process.stdout.columns ?? 80,
    env: process.env,
    onInterrupt(handler) {
      let count = 0;
      let last = Number.NEGATIVE_INFINITY;
      const listener = (): void => {
        const now = performance.now();
        if (now - last >= SAME_INTERRUPT_MS) handler(++count);
        last = now;
      };
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, listener);
      return () => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, listener);
      };
    },
    quit: (code) => process.exit(code),
  };
}
