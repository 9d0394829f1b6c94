/** The place that a name of the command line means: a worktree, or that of a run's task. */
import { OwtError } from "../../core/errors.ts";
import { mayTakeOver } from "../../core/take-over.ts";
import type { Task } from "../../core/task.ts";
import { readAttempts } from "../../store/attempts.ts";
import type { Engine } from "../engine.ts";
import { notToBeTaken } from "../take-over.ts";
import { findTask } from "../find-task.ts";
import { type Checkout, findWorktree } from "./place.ts";

/** A worktree, and the task of a run whose place that is, where it was named by that. */
export type TaskPlace = { worktree: Checkout; task: Task | null };

/** A worktree is meant before a task, unless a run is named. Throws as {@link findWorktree} where it is neither, and `wrong-state` for a task that has
 *  no place: nobody has begun it, or it is over. */
export async function findPlaceOf(engine: Engine, name: string, run?: string): Promise<TaskPlace> {
  if (run === undefined) {
    try {
      return { worktree: await findWorktree(engine, name), task: null };
    } catch (error) {
      if (!(error instanceof OwtError) || error.code !== "unknown-name") throw error;
      const task = knownTask(engine, name);
      if (task === null) throw error;
      return { worktree: placeOf(engine, task), task };
    }
  }
  const task = findTask(engine, name, { run });
  return { worktree: placeOf(engine, task), task };
}

function knownTask(engine: Engine, name: string): Task | null {
  try {
    return findTask(engine, name, { fits: mayTakeOver });
  } catch (error) {
    // Only written down: what starts it is more use than the names of worktrees.
    if (error instanceof OwtError && error.code === "unknown-name") return null;
    throw error;
  }
}

function placeOf(engine: Engine, task: Task): Checkout {
  const last = readAttempts(engine.store, task.id).at(-1);
  if (last === undefined || !mayTakeOver(task)) throw notToBeTaken(task);
  return { path: last.worktree, branch: last.branch };
}
