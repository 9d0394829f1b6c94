/** How long what goes on will probably still take, from the estimates of its tasks. Pure. */
import type { Range, TaskEstimate } from "./estimate.ts";
import type { PlannedStart } from "./schedule.ts";
import { play, type Rehearsal, rehearse } from "./simulate.ts";

/** A task that is not done: its estimate, and how long it has been worked on. */
export type OpenTask = Omit<PlannedStart, "weight"> & {
  estimate: TaskEstimate;
  workedMs: number;
  /** For how long it cannot start yet, for a usage limit or the budget of a day. */
  heldMs?: number;
  /** It goes on when a person says so, which nobody can tell. */
  waitsForPerson?: boolean;
};

/** Milliseconds. Rough: nothing like it was done here yet, so that the estimate is only a table's. */
export type TimeLeft = { ms: number; isRough: boolean };

/** To the middle case, beyond it to the bad one; null beyond that too. */
export function taskTimeLeft({ estimate, workedMs }: Pick<OpenTask, "estimate" | "workedMs">): TimeLeft | null {
  const ms = leftOf(estimate.duration, workedMs);
  return ms === null ? null : { ms, isRough: estimate.duration.level === "cold-start" };
}

/** By how much what is at work takes longer than its bad case, in milliseconds: that of them which passed it last. Null where not all of it did. */
export function lateBy(working: readonly Pick<OpenTask, "estimate" | "workedMs">[]): number | null {
  if (working.length === 0 || working.some((task) => taskTimeLeft(task) !== null)) return null;
  return Math.min(...working.map(({ estimate, workedMs }) => workedMs - estimate.duration.p90));
}

/** Until the last of them is done with `maxParallel` agents: what is held begins, with all that builds on it, when that is over. What waits for a person counts
 *  as if it did not, beside others; null where the end hangs on nothing but that, or on what takes longer than its bad case. */
export function runTimeLeft(tasks: readonly OpenTask[], maxParallel: number): TimeLeft | null {
  const unknown = withAllBuiltOn(tasks, (task) => task.waitsForPerson === true || isPastItsBadCase(task));
  if (tasks.length > 0 && unknown.length === tasks.length) return null;
  const isRough = tasks.some(({ estimate }) => estimate.duration.level === "cold-start");
  const times = [
    0,
    ...[...new Set(tasks.map(({ heldMs = 0 }) => heldMs))].toSorted((a, b) => a - b).slice(-MOST_TIMES),
  ];
  const ends = times.map((from) => from + makespanOf(heldFor(tasks, from), maxParallel));
  return { ms: Math.max(...ends), isRough };
}

/** So many times at which something goes on are played through, the last ones: each takes as long as a run without. */
const MOST_TIMES = 30;

/** What the budget of a day lets begin: how much it is, how much of it is used today, and what each open task will use of it. */
export type DayLimit = { limit: number; used: number; uses: ReadonlyMap<string, number> };

/** The same tasks, each held until the day whose budgets those that go before it do not use up. `beginsIn`: in how many milliseconds a day begins, of which today is 0. */
export function keepToDays(
  tasks: readonly OpenTask[],
  limits: readonly DayLimit[],
  beginsIn: (day: number) => number,
): readonly OpenTask[] {
  if (limits.length === 0) return tasks;
  const held = new Map<string, number>();
  let day = 0;
  let used = limits.map((each) => each.used);
  for (const id of rehearsalOf(tasks).ids) {
    const uses = limits.map((each) => each.uses.get(id) ?? 0);
    if (limits.some(({ limit }, at) => uses[at]! > 0 && used[at]! >= limit - DUST)) {
      day += 1;
      used = limits.map(() => 0);
    }
    held.set(id, beginsIn(day));
    used = used.map((each, at) => each + uses[at]!);
  }
  return tasks.map((task) => ({ ...task, heldMs: Math.max(task.heldMs ?? 0, held.get(task.id)!) }));
}

/** The tail of a sum of binary fractions is no money. */
const DUST = 1e-9;

/** Of what is held is known at least when it goes on. */
function isPastItsBadCase({ estimate, workedMs, heldMs = 0 }: OpenTask): boolean {
  return heldMs === 0 && leftOf(estimate.duration, workedMs) === null;
}

/** The tasks that are held for so long, and those that build on them. */
function heldFor(tasks: readonly OpenTask[], ms: number): readonly OpenTask[] {
  return ms === 0 ? tasks : withAllBuiltOn(tasks, ({ heldMs = 0 }) => heldMs >= ms);
}

/** The tasks for which that holds, and all that build on them. */
function withAllBuiltOn(tasks: readonly OpenTask[], holds: (task: OpenTask) => boolean): readonly OpenTask[] {
  const found = new Set(tasks.filter(holds).map(({ id }) => id));
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const { id, needs } of tasks) if (needs.some((need) => found.has(need))) found.add(id);
  }
  return tasks.filter(({ id }) => found.has(id));
}

function makespanOf(tasks: readonly OpenTask[], maxParallel: number): number {
  const left = new Map(tasks.map((task) => [task.id, restOf(task)]));
  const rehearsal = rehearsalOf(tasks);
  const durations = rehearsal.ids.map((id) => left.get(id)!);
  return play(rehearsal, durations, maxParallel).makespan;
}

function rehearsalOf(tasks: readonly OpenTask[]): Rehearsal {
  return rehearse(
    tasks.map((task) => ({
      id: task.id,
      needs: task.needs,
      // What is under way has its place already.
      priority: task.workedMs > 0 ? ("high" as const) : task.priority,
      weight: restOf(task),
    })),
  );
}

function restOf({ estimate, workedMs }: OpenTask): number {
  return leftOf(estimate.duration, workedMs) ?? 0;
}

function leftOf({ p50, p90 }: Range, workedMs: number): number | null {
  if (workedMs < p50) return p50 - workedMs;
  return workedMs < p90 ? p90 - workedMs : null;
}
