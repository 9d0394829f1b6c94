/** When a run will probably end, worked out by the process that carries it, for all who look. */
import { type Attempt, workedMs } from "../core/attempt.ts";
import type { BudgetUnit } from "../core/budget-limits.ts";
import { keyOf } from "../core/limit.ts";
import { rowNeeds } from "../core/rival.ts";
import type { Run } from "../core/run.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { type DayLimit, keepToDays, lateBy, type OpenTask, runTimeLeft, type TimeLeft } from "../core/time-left.ts";
import { type TaskView, waitsForRoomAlone } from "../core/view.ts";
import { MapPer } from "../lib/map-per.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import type { Store } from "../store/database.ts";
import { readExpected, writeExpected } from "../store/expected.ts";
import { readLimits } from "../store/limits.ts";
import type { Engine } from "./engine.ts";
import { dayEnds, dayHeldUntil, readLevels } from "./budget.ts";
import { readHolding } from "./governor.ts";
import { limitOf, viewRun } from "./view.ts";
import { reviewTimes } from "./review-times.ts";
import { Estimates } from "./estimates.ts";

/** How often it is worked out anew, and how often where a task was done since, from which something is learned: each time the rest of the run is
 *  played through. */
const EVERY_MS = 15_000;
const LEARN_MS = 2_000;

/** When that was, what came of it, how many tasks were done, and what else it hangs on: until when usage limits and the budget of the day held what, the budget,
 *  and how many work at a time. */
type WorkedOut = { at: number; end: number | null; done: number; standing: string };
const workedOut = new MapPer<Store, string, WorkedOut>();

/** Works it out and writes it down, unless that was done a moment ago. What is done meanwhile tells for what is still to come; a usage limit, or
 *  a day whose budget is used up, that comes or goes moves the end by hours, and behind one nothing may happen for as long; a person who changes a budget, or how many
 *  work at a time, looks at what becomes of it. */
export function noteExpectedEnd(engine: Engine, run: Run, tasks: readonly Task[]): void {
  const runs = workedOut.of(engine.store);
  const now = engine.now();
  const done = tasks.filter(({ state }) => state === "done").length;
  const ofLimits = readLimits(engine.store).map((limit) => [keyOf(limit), limit.until]);
  const { budget, maxParallel } = run.options;
  const standing = JSON.stringify([ofLimits, dayHeldUntil(engine, run), budget, maxParallel]);
  const last = runs.get(run.id);
  // The clock may have been set back.
  const isFresh = last !== undefined && Math.abs(now - last.at) < (done === last.done ? EVERY_MS : LEARN_MS);
  if (isFresh && standing === last.standing) return;
  const attempts = Map.groupBy(readAttemptsOfRun(engine.store, run.id), (attempt) => attempt.task);
  const views = viewRun(engine, run, tasks);
  const estimates = new Estimates(engine, run.options);
  const waits = reviewTimes(engine, run.id, tasks, now);
  const left = timeLeftOf(engine, run, views, attempts, estimates, waits);
  const late = left === null ? lateOf(views, attempts, estimates, now, waits) : null;
  const end = left !== null ? now + left.ms : late === null ? null : now - late;
  runs.set(run.id, { at: now, end, done, standing });
  // Where nobody could tell before either there is nothing to write.
  if (end !== null || readExpected(engine.store, run.id)?.end != null)
    writeExpected(engine.store, run.id, { end, isRough: left?.isRough ?? false, at: now });
}

/** In how many milliseconds it is to be worked out anew though nothing happens: once the end of one of these runs has passed. Null where none is ahead. */
export function expectedEndIn(engine: Engine, runs: readonly Run[]): number | null {
  const now = engine.now();
  const ahead = runs.flatMap(({ id, wish }) => {
    const last = workedOut.of(engine.store).get(id);
    if (wish !== null || last?.end == null || last.end <= last.at) return [];
    // Not sooner than it is worked out anew at all, nor at once where that is left undone.
    return [Math.max(last.end, last.at + EVERY_MS, now + LEARN_MS) - now];
  });
  return ahead.length === 0 ? null : Math.min(...ahead);
}

/** By how much all that is at work takes longer than its bad case; null where it does not. */
function lateOf(
  views: readonly TaskView[],
  attempts: ReadonlyMap<number, Attempt[]>,
  estimates: Estimates,
  now: number,
  waits: ReadonlyMap<number, number>,
): number | null {
  const working = views.filter(({ standing }) => standing === "working");
  return lateBy(
    working.map(({ task }) => ({
      estimate: estimates.of(task.spec),
      workedMs: workedMs(attempts.get(task.id) ?? [], now, waits),
    })),
  );
}

/** Null where nothing is left, or nobody can tell, because all of it waits for room or for a person, or takes longer than its bad case, or some of it for an API that cannot be reached. `attempts` are those of the run, by task; `waits` as `reviewTimes` gives them. */
export function timeLeftOf(
  engine: Engine,
  run: Run,
  views: readonly TaskView[],
  attempts: ReadonlyMap<number, Attempt[]>,
  estimates: Estimates,
  waits: ReadonlyMap<number, number>,
): TimeLeft | null {
  const open = views.filter(({ task }) => !FINAL_STATES.has(task.state));
  if (open.length === 0 || waitsForRoomAlone(open) || waitsForApi(engine, run, open)) return null;
  const now = engine.now();
  const dayHeld = dayHeldUntil(engine, run);
  // What builds on others cannot begin behind them either.
  const heldUntil = ({ until, standing }: TaskView) => until ?? (standing === "blocked" ? dayHeld : null) ?? now;
  const needsOf = rowNeeds(views.map(({ task }) => task));
  const begun = new Set(open.filter(({ task }) => task.startedAt !== null).map(({ task }) => task.key));
  const coming = open.map((view) => ({
    id: view.task.key,
    needs: needsOf(view.task.needs),
    priority: view.task.spec.priority,
    estimate: estimates.of(view.task.spec),
    workedMs: workedMs(attempts.get(view.task.id) ?? [], now, waits),
    heldMs: Math.max(0, heldUntil(view) - now),
    waitsForPerson: view.standing === "waits-for-person",
  }));
  return runTimeLeft(keepToDays(coming, dayLimitsOf(engine, run, coming, begun), dayIn(now)), run.options.maxParallel);
}

/** Whether an outage holds some of it: when it is tried next is no end of it. */
function waitsForApi(engine: Engine, run: Run, open: readonly TaskView[]): boolean {
  const holding = readHolding(engine);
  return holding !== null && open.some(({ task }) => limitOf(engine, run, task, holding)?.outage !== undefined);
}

/** What the budgets of the day let begin; those of which nobody can tell what the tasks will use are left aside. */
function dayLimitsOf(engine: Engine, run: Run, coming: readonly OpenTask[], begun: ReadonlySet<string>): DayLimit[] {
  const ofDay = readLevels(engine, run).filter(({ scope }) => scope === "day");
  return ofDay.map(({ unit, limit, used }) => {
    const uses = new Map(
      coming.map((task) => [task.id, unit === "tasks" ? (begun.has(task.id) ? 0 : 1) : stillUses(unit, task)]),
    );
    return { limit, used, uses };
  });
}

/** The middle case, less the share that is done. */
function stillUses(unit: Exclude<BudgetUnit, "tasks">, { estimate, workedMs }: OpenTask): number {
  const all = { usd: estimate.cost, tokens: estimate.tokens, ms: estimate.duration }[unit]?.p50 ?? 0;
  return all * Math.max(0, 1 - workedMs / Math.max(1, estimate.duration.p50));
}

/** In how many milliseconds a day begins whose budget counts; today is 0. */
function dayIn(now: number): (day: number) => number {
  const begins = [now];
  return (day) => {
    while (begins.length <= day) begins.push(dayEnds(begins.at(-1)!));
    return begins[day]! - now;
  };
}
