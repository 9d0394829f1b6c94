/** Runs in the store: creating one with all its tasks, and the moves of the run itself. */
import { NO_BUDGET } from "../core/budget-limits.ts";
import type { PlannedTask } from "../core/plan.ts";
import { type Rival, rivalKey } from "../core/rival.ts";
import { FRESH } from "../core/task.ts";
import type { Run, RunOptions, RunState, RunWish } from "../core/run.ts";
import type { Row, Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { nextRunNumber } from "./ids.ts";
import { forgetTasks } from "./known-tasks.ts";
import { parseStored } from "./stored-json.ts";

/** A task as it enters a run; `rival` where it is done by several agents, and this is one of them. */
export type NewTask = { spec: PlannedTask; hash: string; needs: string[]; rival?: Rival };

export type NewRun = Pick<Run, "planKind" | "planPath" | "target" | "base" | "buildsOn"> & { options: RunOptions };

/** Writes a run and its tasks in one transaction and returns it. Ids count up: r1, r2, … */
export function createRun(store: Store, at: number, run: NewRun, tasks: NewTask[]): Run {
  return store.transaction(() => {
    const id = `r${nextRunNumber(store)}`;
    store.run(
      `insert into run (id, state, plan_kind, plan_path, target, base, branch, builds_on, options, created_at)
       values (?, 'open', ?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      run.planKind,
      run.planPath,
      run.target,
      run.base,
      `owt/runs/${id}`,
      run.buildsOn,
      JSON.stringify(run.options),
      at,
    );
    tasks.forEach((task, order) => insertTask(store, id, task, order));
    appendEvent(
      store,
      at,
      { run: id },
      {
        kind: "run-created",
        tasks: new Set(tasks.map(({ spec }) => spec.id)).size,
        target: run.target,
        base: run.base,
        buildsOn: run.buildsOn,
      },
    );
    return readRun(store, id)!;
  });
}

/** Adds tasks to a run that is already open. */
export function addTasks(store: Store, at: number, run: string, tasks: NewTask[]): void {
  if (tasks.length === 0) return;
  store.transaction(() => {
    appendEvent(store, at, { run }, { kind: "tasks-joined", keys: tasks.map(keyOf) });
    const first = Number(store.get("select coalesce(max(ord) + 1, 0) as n from task where run = ?", run)?.["n"]);
    tasks.forEach((task, index) => insertTask(store, run, task, first + index));
    forgetTasks(store, run);
  });
}

function insertTask(store: Store, run: string, task: NewTask, order: number): void {
  store.run(
    "insert into task (run, key, ord, state, spec, hash, needs, next, rival) values (?, ?, ?, 'pending', ?, ?, ?, ?, ?)",
    run,
    keyOf(task),
    order,
    JSON.stringify(task.spec),
    task.hash,
    JSON.stringify(task.needs),
    JSON.stringify(FRESH),
    task.rival === undefined ? null : JSON.stringify(task.rival),
  );
}

function keyOf({ spec, rival }: NewTask): string {
  return rival === undefined ? spec.id : rivalKey(spec.id, rival);
}

export function readRun(store: Store, id: string): Run | null {
  const row = store.get("select * from run where id = ?", id);
  return row ? toRun(row) : null;
}

/** All runs in the order in which they came, whatever the clock said then; with a state only those in it. */
export function readRuns(store: Store, state?: RunState): Run[] {
  const rows =
    state === undefined
      ? store.all("select * from run order by rowid")
      : store.all("select * from run where state = ? order by rowid", state);
  return rows.map(toRun);
}

/** Writes what a person wishes of a run. */
export function setWish(store: Store, at: number, run: string, wish: RunWish): void {
  store.transaction(() => {
    const changed = store.run(
      "update run set wish = ? where id = ? and state = 'open' and wish is not ?",
      wish,
      run,
      wish,
    );
    if (changed === 1) appendEvent(store, at, { run }, { kind: "run-wish", wish });
  });
}

/** Changes what a run was started with; it holds for what starts from now on. */
export function setRunOptions(store: Store, run: string, options: RunOptions): void {
  store.run("update run set options = ? where id = ?", JSON.stringify(options), run);
}

/** Has a run begin elsewhere, of which nothing came in yet. */
export function setRunBase(store: Store, run: string, base: string): void {
  store.run("update run set base = ? where id = ?", base, run);
}

/** Ends a run; false when somebody else already did. */
export function endRun(
  store: Store,
  at: number,
  run: string,
  counts: Record<"done" | "failed" | "skipped" | "cancelled", number>,
): boolean {
  return store.transaction(() => {
    const ended =
      store.run(
        "update run set state = 'ended', wish = null, ended_at = ? where id = ? and state = 'open'",
        at,
        run,
      ) === 1;
    if (ended) appendEvent(store, at, { run }, { kind: "run-ended", ...counts });
    return ended;
  });
}

/** Opens an ended run again, because one of its tasks is to be tried again. */
export function reopenRun(store: Store, run: string): void {
  store.run("update run set state = 'open', ended_at = null where id = ? and state = 'ended'", run);
}

/** Records that the run's work is in its target. */
export function markLanded(store: Store, at: number, run: string, target: string, commit: string): void {
  store.transaction(() => {
    store.run("update run set landed_at = ? where id = ?", at, run);
    appendEvent(store, at, { run }, { kind: "run-landed", target, commit });
  });
}

/** Of a run that has landed more came in: the target does not hold all of its work any more. */
export function forgetLanding(store: Store, run: string): void {
  store.run("update run set landed_at = null where id = ? and landed_at is not null", run);
}

function toRun(row: Row): Run {
  return {
    id: String(row["id"]),
    state: row["state"] as RunState,
    wish: row["wish"] as RunWish,
    planKind: row["plan_kind"] as Run["planKind"],
    planPath: String(row["plan_path"]),
    target: String(row["target"]),
    base: String(row["base"]),
    branch: String(row["branch"]),
    buildsOn: row["builds_on"] as string | null,
    options: toOptions(String(row["options"])),
    createdAt: Number(row["created_at"]),
    endedAt: row["ended_at"] as number | null,
    landedAt: row["landed_at"] as number | null,
  };
}

/** Runs of an earlier owt knew fewer limits. */
function toOptions(text: string): RunOptions {
  const stored = parseStored(text) as RunOptions;
  return { ...stored, budget: { ...NO_BUDGET, ...stored.budget }, budgetUsd: stored.budgetUsd ?? null };
}
