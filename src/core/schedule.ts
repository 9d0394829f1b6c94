/** Which ready tasks start next. The rule alone: readiness, limits and weights are worked out elsewhere. */
import { pathsBelow } from "./dag.ts";
import type { Priority } from "./plan.ts";
import type { TaskState } from "./task.ts";

/** A task whose needs are met and that nothing holds. */
export type ReadyTask = {
  id: string;
  priority: Priority;
  /** Longest expected path that begins with it (see `pathsBelow` in dag.ts, durations from estimate.ts), in any one unit. */
  pathBelow: number;
  /** Position in the plan; no two tasks share one. */
  order: number;
};

/** How many places are taken. A task has one while its agent works; checks have places of their own, so that slow ones hold nobody up. */
export function placesTaken(states: readonly TaskState[], maxParallel: number): number {
  const count = (state: TaskState) => states.filter((each) => each === state).length;
  // One after the other means: from the integrated work of the one before.
  if (maxParallel === 1) return count("running") + count("verifying") + count("integrating");
  return count("running");
}

/** The next tasks to start, best first: user priority, then the longest expected path below, then plan order. As many as there are
 *  free places. Starting the head of the longest path first keeps the makespan near its bound: the median of 20,000 random plans meets it,
 *  19 of 20 stay within 5 % (bench/schedule).
 *
 *  `soon` are tasks that will be ready in a moment. A better one of them keeps its place free: otherwise the end of a task on the critical path
 *  would start whatever is ready, just before what really comes next, which then waits for the next task to end (bench/replay). */
export function decideStarts(
  view: { ready: readonly ReadyTask[]; running: number; soon?: readonly ReadyTask[] },
  limits: { maxParallel: number },
): string[] {
  return decideApart({ ...view, atWork: [] }, limits, () => false).starts;
}

/** What starts next, and what does not although it would have been its turn: it touches files that `behind` touches, which is at work. */
export type Starts = { starts: string[]; heldBack: { id: string; behind: string }[] };

/** The same, where tasks that touch the same files (`overlap`) are not begun side by side as long as something else of the same priority of the user's is
 *  ready: their merges would conflict. Where nothing else is ready they begin all the same, since a free place helps nobody, unless the other is one of
 *  `comingHome`: its agent is through, and what it did is there to build on in a moment. `atWork` are the tasks whose work is not integrated yet, those that come
 *  home among them. */
export function decideApart(
  view: {
    ready: readonly ReadyTask[];
    running: number;
    soon?: readonly ReadyTask[];
    atWork: readonly string[];
    comingHome?: readonly string[];
  },
  limits: { maxParallel: number },
  overlap: (one: string, other: string) => boolean,
): Starts {
  const free = Math.max(0, Math.floor(limits.maxParallel - view.running));
  const soon = new Set(view.soon?.map((task) => task.id));
  const others = [...(view.comingHome ?? []), ...view.atWork];
  const isNearlyHome = new Set(view.comingHome);
  const chosen: string[] = [];
  const heldBack: Starts["heldBack"] = [];
  const sorted = [...view.ready, ...(view.soon ?? [])].sort(byPriorityThenPath);
  for (let at = 0; at < sorted.length && free > chosen.length;) {
    const end = endOfPriority(sorted, at);
    const passed: Starts["heldBack"] = [];
    for (; at < end && free > chosen.length; at++) {
      const { id } = sorted[at]!;
      const behind = [...others, ...chosen].find((other) => overlap(id, other));
      if (behind === undefined) chosen.push(id);
      else if (isNearlyHome.has(behind)) heldBack.push({ id, behind });
      else passed.push({ id, behind });
    }
    const room = free - chosen.length;
    chosen.push(...passed.slice(0, room).map(({ id }) => id));
    heldBack.push(...passed.slice(room));
    at = end;
  }
  // It would not have been the turn of the others anyway.
  const turns = new Set(sorted.slice(0, free).flatMap(({ id }) => (soon.has(id) ? [] : [id])));
  return { starts: chosen.filter((id) => !soon.has(id)), heldBack: heldBack.filter(({ id }) => turns.has(id)) };
}

function endOfPriority(sorted: readonly ReadyTask[], from: number): number {
  const end = sorted.findIndex((task, at) => at > from && task.priority !== sorted[from]!.priority);
  return end === -1 ? sorted.length : end;
}

/** A task of a plan that has not begun. `weight` is its expected length, in any one unit. */
export type PlannedStart = { id: string; needs: readonly string[]; priority: Priority; weight: number };

/** All ids, best first, as {@link decideStarts} would take them if all were ready. Plan order is the order of `tasks`. */
export function byDispatch(tasks: readonly PlannedStart[]): string[] {
  const weights = new Map(tasks.map(({ id, weight }) => [id, weight]));
  const below = pathsBelow(tasks, (id) => weights.get(id)!);
  return tasks
    .map(({ id, priority }, order) => ({ id, priority, pathBelow: below.get(id)!, order }))
    .sort(byPriorityThenPath)
    .map(({ id }) => id);
}

/** All ids in the order in which they start one at a time: of those whose needs are met always the best. Needs outside count as met; what
 *  waits in a cycle never starts, and is left out. */
export function startOrder(tasks: readonly PlannedStart[]): string[] {
  const rank = new Map(byDispatch(tasks).map((id, at) => [id, at]));
  const ids = [...rank.keys()];
  const open = new Map(tasks.map(({ id, needs }) => [id, new Set(needs.filter((need) => rank.has(need)))]));
  const waiting = new Map<string, string[]>(ids.map((id) => [id, []]));
  for (const [id, needs] of open) for (const need of needs) waiting.get(need)!.push(id);
  // Ranks of what is ready, best last: taken from the end, put in where they belong.
  const ready = ids.flatMap((id, at) => (open.get(id)!.size === 0 ? [at] : [])).reverse();
  const order: string[] = [];
  for (let at = ready.pop(); at !== undefined; at = ready.pop()) {
    const id = ids[at]!;
    order.push(id);
    for (const next of waiting.get(id)!) {
      const needs = open.get(next)!;
      needs.delete(id);
      if (needs.size === 0) insert(ready, rank.get(next)!);
    }
  }
  return order;
}

function insert(descending: number[], value: number): void {
  let low = 0;
  for (let high = descending.length; low < high;) {
    const middle = (low + high) >> 1;
    if (descending[middle]! > value) low = middle + 1;
    else high = middle;
  }
  descending.splice(low, 0, value);
}

const RANK: Record<Priority, number> = { high: 0, normal: 1, low: 2 };

export function byPriorityThenPath(a: ReadyTask, b: ReadyTask): number {
  return RANK[a.priority] - RANK[b.priority] || b.pathBelow - a.pathBelow || a.order - b.order;
}
