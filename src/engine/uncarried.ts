/** Agents that work on though no orchestrator lives: who stops a run or a task then has to do it. */
import type { Attempt, StopCause } from "../core/attempt.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { readRun } from "../store/runs.ts";
import { findLiveBelow } from "../system/marked.ts";
import { requestStop } from "./attempt-moves.ts";
import { windDown } from "./carry.ts";
import { isCarried } from "./holder.ts";
import { noteInterrupted, stopSoon } from "./check.ts";
import { attemptDir, type Engine, isLost } from "./engine.ts";

/** Stops the agents of these attempts with everything they started, where nobody carries the runs, and brings the attempts to their end, so
 *  that the store says how things are. False where somebody does carry them: that process obeys the wish in the store. */
export async function stopUncarried(
  engine: Engine,
  cause: StopCause,
  isMeant: (attempt: Attempt) => boolean,
): Promise<boolean> {
  if (isCarried(engine) !== null) return false;
  const meant = readOpenAttempts(engine.store).filter((each) => each.outcome === null && isMeant(each));
  for (const attempt of meant)
    if (cause !== "stopped" || attempt.phase === "agent") requestStop(engine, attempt, cause);
  await Promise.all(meant.map((attempt) => stopAll(engine, attempt)));
  // What an agent left is taken in by rules of the configuration (which files are never committed): not by half of them.
  if (engine.configProblems.length === 0) await windDown(engine);
  return true;
}

/** Whether some process carries this run on right now, so that what a person decides of its tasks is taken up at once. `isWaitedFor`: one waits for just that. */
export function goesOnByItself(engine: Engine, run: string, isWaitedFor: boolean): boolean {
  const { state, wish } = readRun(engine.store, run) ?? { state: "ended", wish: null };
  return state === "open" && wish === null && (isWaitedFor || isCarried(engine) !== null);
}

/** The agent, or the check that runs instead of it: that one is executed anew when the task goes on. */
async function stopAll(engine: Engine, attempt: Attempt): Promise<void> {
  const folder = attemptDir(engine, attempt.id);
  const live = findLiveBelow(folder).filter((dir) => dir !== folder);
  for (const dir of live) noteInterrupted(dir);
  const agent = attempt.phase === "agent" ? [folder] : [];
  await Promise.all([...agent, ...live].map((dir) => stopSoon(engine, dir)));
}

/** Where nobody carries the runs: what was killed is brought to its end, so that its task is open to a new text or another try. Agents
 *  that live are left to whoever carries the runs next. */
export async function settleLost(engine: Engine): Promise<void> {
  if (isCarried(engine) !== null) return;
  if (readOpenAttempts(engine.store).some((attempt) => isLost(engine, attempt))) await windDown(engine);
}
