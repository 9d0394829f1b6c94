/** How long what goes on will probably still take, from the estimates of its tasks. Pure. */
import type { Range, TaskEstimate } from "./estimate.ts";
import type { PlannedStart } from "./schedule.ts";
import { play, rehearse } from "./simulate.ts";

/** A task that is not done: its estimate, and how long it has been worked on. */
export type OpenTask = Omit<PlannedStart, "weight"> & { estimate: TaskEstimate; workedMs: number };

/** Milliseconds. Rough: nothing like it was done here yet, so that the estimate is only a table's. */
export type TimeLeft = { ms: number; isRough: boolean };

/** To the middle case, beyond it to the bad one; null beyond that too. */
export function taskTimeLeft({ estimate, workedMs }: Pick<OpenTask, "estimate" | "workedMs">): TimeLeft | null {
  const ms = leftOf(estimate.duration, workedMs);
  return ms === null ? null : { ms, isRough: estimate.duration.level === "cold-start" };
}

/** Until the last of them is done with `maxParallel` agents. What waits for a person or a limit counts as if it did not. */
export function runTimeLeft(tasks: readonly OpenTask[], maxParallel: number): TimeLeft {
  const left = new Map(tasks.map((task) => [task.id, leftOf(task.estimate.duration, task.workedMs) ?? 0]));
  // What is under way has its place already.
  const starts = tasks.map(({ id, needs, priority, workedMs }) => ({
    id,
    needs,
    priority: workedMs > 0 ? ("high" as const) : priority,
    weight: left.get(id)!,
  }));
  const rehearsal = rehearse(starts);
  const durations = rehearsal.ids.map((id) => left.get(id)!);
  const isRough = tasks.some(({ estimate }) => estimate.duration.level === "cold-start");
  return { ms: play(rehearsal, durations, maxParallel).makespan, isRough };
}

function leftOf({ p50, p90 }: Range, workedMs: number): number | null {
  if (workedMs < p50) return p50 - workedMs;
  return workedMs < p90 ? p90 - workedMs : null;
}
