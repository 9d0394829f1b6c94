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
