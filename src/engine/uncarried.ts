/** Agents that work on though no orchestrator lives: who stops a run or a task then has to do it. */
import type { Attempt, StopCause } from "../core/attempt.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { requestStop } from "./attempt-moves.ts";
import { isCarried } from "./holder.ts";
import { stopSoon } from "./check.ts";
import { attemptDir, type Engine } from "./engine.ts";

/** Stops the agents of these attempts with everything they started, where nobody carries the runs, and says how many; who carries them
 *  next collects what they left. Where somebody does carry them, that process obeys the wish in the store. */
export async function stopUncarried(
  engine: Engine,
  cause: StopCause,
  isMeant: (attempt: Attempt) => boolean,
): Promise<number> {
  if (isCarried(engine) !== null) return 0;
  const working = readOpenAttempts(engine.store).filter((each) => each.phase === "agent" && isMeant(each));
  await Promise.all(
    working.map((attempt) => {
      requestStop(engine, attempt, cause);
      return stopSoon(engine, attemptDir(engine, attempt.id));
    }),
  );
  return working.length;
}
