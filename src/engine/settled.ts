/** When a run is settled: ended, or waiting for nothing but a person. */
import type { Attempt } from "../core/attempt.ts";
import { isMergeHeld } from "../core/held-merges.ts";
import type { Run } from "../core/run.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { isSettled } from "../core/view.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { readHeldMerges } from "../store/resolving.ts";
import { readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { viewRun } from "./view.ts";

/** Phases that are carried to their end even in a stopped run: an agent that was stopped is still collected. */
export const ENDS_ANYWAY = new Set<Attempt["phase"]>(["agent", "collect", "advance", "tidy"]);

/** Phases in which nothing is done. */
const WAITS = new Set<Attempt["phase"]>(["contest", "review"]);

/** Ended, or waiting for nothing but a person. */
export function isRunSettled(engine: Engine, run: Run): boolean {
  return isSettledNow(engine, run, readTasks(engine.store, run.id), readOpenAttempts(engine.store));
}

/** The same of what was read already; `allAttempts` are the open ones of all runs. */
export function isSettledNow(engine: Engine, run: Run, tasks: Task[], allAttempts: Attempt[]): boolean {
  if (run.state === "ended") return true;
  const held = readHeldMerges(engine.store, run.id);
  const waits = (attempt: Attempt) => WAITS.has(attempt.phase) || isMergeHeld(held, attempt);
  const attempts = allAttempts.filter((attempt) => attempt.run === run.id && !waits(attempt));
  if (run.wish === "stop") return !attempts.some((attempt) => ENDS_ANYWAY.has(attempt.phase));
  if (attempts.length > 0) return false;
  // A lock goes by itself, or is taken away: it is looked at again.
  if (held.astray?.passes === true) return false;
  // A run whose tasks are all final is about to be ended, and is settled then.
  return !tasks.every((task) => FINAL_STATES.has(task.state)) && isSettled(viewRun(engine, run, tasks));
}
