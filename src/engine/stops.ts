/** Who listens for the end that is asked of an attempt: the innermost of what goes on for it hears it first. */
import type { StopCause } from "../core/attempt.ts";
import type { Engine } from "./engine.ts";

/** Has `stop` called when an attempt is told to stop, and what listened for it before behind that. Gives what ends the listening. */
export function onStop(engine: Engine, attempt: number, stop: (cause: StopCause) => void): () => void {
  const outer = engine.live.get(attempt);
  engine.live.set(attempt, (cause) => {
    stop(cause);
    outer?.(cause);
  });
  return () => {
    if (outer) engine.live.set(attempt, outer);
    else engine.live.delete(attempt);
  };
}

/** Does something whose commands belong to `attempt`, and stops them when the signal aborts. */
export async function stoppedBy<T>(
  engine: Engine,
  attempt: number,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const stop = () => engine.live.get(attempt)?.("stopped");
  signal.addEventListener("abort", stop);
  try {
    return await work();
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
