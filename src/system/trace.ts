/** Which other programs are run, and how long each takes, for whoever wants to know (`owt -v`). Without a listener it costs nothing. */

export type Traced = {
  words: readonly string[];
  /** Null for one that has only begun: it goes on beside us. */
  ended: { ms: number; code: number | null } | null;
};

let listener: ((traced: Traced) => void) | null = null;

/** Has every program told from now on. */
export function listenToPrograms(to: (traced: Traced) => void): void {
  listener = to;
}

/** A program that is run to its end; to be called with its exit code. */
export function traceProgram(words: readonly string[]): (code: number | null) => void {
  if (listener === null) return ignore;
  const began = performance.now();
  return (code) => listener?.({ words, ended: { ms: performance.now() - began, code } });
}

/** A program that lives on beside us. */
export function traceStart(words: readonly string[]): void {
  listener?.({ words, ended: null });
}

function ignore(): void {}
