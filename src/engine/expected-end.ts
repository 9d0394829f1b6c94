/** When a run will probably end, worked out by the process that carries it, for all who look. */
import { type Attempt, underWayMs } from "../core/attempt.ts";
import type { Run } from "../core/run.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { runTimeLeft } from "../core/time-left.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import type { Store } from "../store/database.ts";
import { readExpected, writeExpected } from "../store/expected.ts";
import type { Engine } from "./engine.ts";
import type { Estimates } from "./estimates.ts";

/** How often it is worked out anew: each time the rest of the run is played through. */
const EVERY_MS = 15_000;

const workedOut = new WeakMap<Store, Map<string, number>>();

/** Works it out and writes it down, unless that was done a moment ago. */
export function noteExpectedEnd(engine: Engine, run: Run, tasks: readonly Task[], estimates: Estimates): void {
  const runs = workedOut.get(engine.store) ?? new Map<string, number>();
  workedOut.set(engine.store, runs);
  const now = engine.now();
  if (now - (runs.get(run.id) ?? -Infinity) < EVERY_MS) return;
  runs.set(run.id, now);
  const attempts = Map.groupBy(readAttemptsOfRun(engine.store, run.id), (attempt) => attempt.task);
  const left = timeLeftOf(run, tasks, attempts, estimates, now);
  const end = left === null ? null : now + left;
  // Where nobody could tell before either there is nothing to write.
  if (end !== null || readExpected(engine.store, run.id)?.end != null)
    writeExpected(engine.store, run.id, { end, at: now });
}

/** Milliseconds; null where nobody can tell. `attempts` are those of the run, by task. */
export function timeLeftOf(
  run: Run,
  tasks: readonly Task[],
  attempts: ReadonlyMap<number, Attempt[]>,
  estimates: Estimates,
  now: number,
): number | null {
  const open = tasks.filter((task) => !FINAL_STATES.has(task.state));
  if (open.length === 0 || open.some((task) => estimates.of(task.spec).duration.level === "cold-start")) return null;
  const coming = open.map((task) => ({
    id: task.key,
    needs: task.needs,
    priority: task.spec.priority,
    estimate: estimates.of(task.spec),
    workedMs: underWayMs(attempts.get(task.id) ?? [], now),
  }));
  return runTimeLeft(coming, run.options.maxParallel);
}
