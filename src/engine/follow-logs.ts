/** Follows what the agents of several tasks say, also of tasks and attempts that begin later. */
import type { Attempt } from "../core/attempt.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { readAttempts } from "../store/attempts.ts";
import { readRun } from "../store/runs.ts";
import { readTask } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { isCarried } from "./holder.ts";
import { isRunSettled } from "./settled.ts";
import { nextChange } from "./wake.ts";

/** How often we look for attempts that have begun, where no change tells of it. */
const LOOK_MS = 1_000;

/** Calls `onAttempt` for the last attempt of each task and for every one that begins later, side by side in the order in which they began, until none can begin any
 *  more and all calls have ended. `tasksNow` is asked anew each time: tasks can join a run. */
export async function followAttempts(
  engine: Engine,
  tasksNow: () => Task[],
  onAttempt: (task: Task, attempt: Attempt) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const begun = new Set<number>();
  const following = new Set<Promise<void>>();
  let failure: { error: unknown } | null = null;
  while (!signal.aborted && failure === null) {
    const change = nextChange(engine, signal);
    const tasks = tasksNow();
    const found = tasks.flatMap((task) => {
      const attempts = readAttempts(engine.store, task.id);
      const newest = Math.max(0, ...attempts.map(({ id }) => id).filter((id) => begun.has(id)));
      const meant = newest === 0 ? attempts.slice(-1) : attempts.filter(({ id }) => id > newest);
      return meant.map((attempt) => ({ task, attempt }));
    });
    for (const { task, attempt } of found.toSorted((one, other) => one.attempt.id - other.attempt.id)) {
      begun.add(attempt.id);
      const one: Promise<void> = onAttempt(task, attempt)
        .catch((error: unknown) => {
          failure ??= { error };
        })
        .finally(() => {
          following.delete(one);
          change.now();
        });
      following.add(one);
    }
    if (following.size === 0 && !tasks.some((task) => mayGoOn(engine, task.id))) {
      change.now();
      return;
    }
    await change.happened(LOOK_MS);
  }
  await Promise.all(following);
  if (failure !== null) throw (failure as { error: unknown }).error;
}

/** Whether another attempt may begin without a person. */
function mayGoOn(engine: Engine, id: number): boolean {
  const task = readTask(engine.store, id);
  if (!task || FINAL_STATES.has(task.state)) return false;
  const run = readRun(engine.store, task.run);
  return run !== null && isCarried(engine) !== null && !isRunSettled(engine, run);
}
