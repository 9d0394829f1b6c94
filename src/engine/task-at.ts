/** Whose a worktree is. */
import { mayTakeOver } from "../core/take-over.ts";
import type { Task } from "../core/task.ts";
import { lastAttemptIn } from "../store/attempts.ts";
import { readTask } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";

/** The task of a run that works in a worktree, or is to go on there; null where that is nobody's but its user's. */
export function taskAt({ store }: Pick<Engine, "store">, worktree: string): Task | null {
  const last = lastAttemptIn(store, worktree);
  const task = last && readTask(store, last.task);
  return task && mayTakeOver(task) ? task : null;
}
