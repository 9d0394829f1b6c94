/** How tasks stand among those whose turn it could be. */
import { pathsBelow } from "../core/dag.ts";
import { rowNeeds } from "../core/rival.ts";
import type { ReadyTask } from "../core/schedule.ts";
import type { Task } from "../core/task.ts";
import type { Estimates } from "./estimates.ts";

/** `tasks` are all of the run. */
export function rankFor(tasks: readonly Task[], estimates: Estimates): (task: Task) => ReadyTask {
  const weights = new Map(tasks.map((task) => [task.key, estimates.of(task.spec).duration.p50]));
  const needsOf = rowNeeds(tasks);
  const nodes = tasks.map((task) => ({ id: task.key, needs: needsOf(task.needs) }));
  const below = pathsBelow(nodes, (id) => weights.get(id) ?? 0);
  const rank = (task: Task): ReadyTask => ({
    id: task.key,
    // Work that is already under way is finished before new work is begun.
    priority: task.next.kind === "fresh" ? task.spec.priority : "high",
    pathBelow: below.get(task.key) ?? 0,
    order: task.order,
  });
  return (task) => ({ ...rank(task), ...turnToTry(task) });
}

/** One tries whether an API can be reached again: the one that met the outage first, or that tried it longest ago, so that no task whose own requests are
 *  what fails is the only one that tries. Before them comes one that a person has it tried with: it was to begin at once, and did not yet. */
function turnToTry({ park, next, notBefore, startedAt }: Task): Partial<ReadyTask> {
  if (park === null && notBefore !== null && startedAt === null)
    return { priority: "high", pathBelow: Number.MAX_SAFE_INTEGER, order: -1 };
  if (park?.for !== "limit" || park.outage === undefined || next.kind === "fresh") return {};
  return { priority: "high", pathBelow: Number.MAX_SAFE_INTEGER, order: next.from };
}
