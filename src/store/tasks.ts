/** Tasks in the store. Every move is a compare-and-set with its event in the same transaction. */
import { assertLegalMove, type NextStart, type Park, type Task, type TaskState } from "../core/task.ts";
import type { Answered } from "../core/conversation.ts";
import type { PlannedTask } from "../core/plan.ts";
import type { Rival } from "../core/rival.ts";
import type { Row, Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { knownTasks, noteChanged } from "./known-tasks.ts";
import { parseStored } from "./stored-json.ts";

/** What may change beside the state. Absent means: as it was. */
export type TaskChange = Partial<
  Pick<
    Task,
    | "park"
    | "notBefore"
    | "hash"
    | "next"
    | "answers"
    | "failures"
    | "repairs"
    | "conflicts"
    | "cancelWish"
    | "approved"
    | "reason"
    | "commit"
    | "verified"
    | "startedAt"
    | "endedAt"
  >
>;

export function readTask(store: Store, id: number): Task | null {
  const row = store.get("select * from task where id = ?", id);
  return row ? toTask(row) : null;
}

/** The merge that a run integrated last; null before the first. */
export function lastIntegrated(store: Store, run: string): string | null {
  const sql =
    "select commit_oid from task where run = ? and state = 'done' and commit_oid is not null order by ended_at desc";
  return (store.get(`${sql} limit 1`, run)?.["commit_oid"] as string | undefined) ?? null;
}

/** Whether any task of a run was done. */
export function hasDoneTask(store: Store, run: string): boolean {
  return store.get("select 1 from task where run = ? and state = 'done' limit 1", run) !== undefined;
}

/** The tasks of a run in plan order. */
export function readTasks(store: Store, run: string): Task[] {
  const readAll = () => store.all("select * from task where run = ? order by ord", run).map(toTask);
  return knownTasks(store, run, readAll, (id) => readTask(store, id));
}

/** Every task with this key, newest run first. */
export function findTasks(store: Store, key: string): Task[] {
  return store.all("select * from task where key = ? order by id desc", key).map(toTask);
}

/** Those that are rivals for the task with this id, in every run in which none of them has won yet, oldest first. */
export function findRivals(store: Store, id: string): Task[] {
  const sql =
    "select * from task where rival is not null and rival ->> '$.of' = ? and rival ->> '$.end' is null order by id";
  return store.all(sql, id).map(toTask);
}

/** How many tasks, of whichever run, began since then. */
export function countBegunSince(store: Store, since: number): number {
  const sql = `select (select count(*) from task where started_at >= ?)
    + (select count(distinct task) from lost_usage where at >= ?) as begun`;
  return Number(store.get(sql, since, since)?.["begun"]);
}

/** Tasks that failed, and that no later run has taken up under the same key. */
export function readFailedTasks(store: Store): Task[] {
  const failed = store.all("select * from task where state = 'failed' order by id").map(toTask);
  if (failed.length === 0) return [];
  const newest = store.all(
    "select max(id) as id from task where key in (select key from task where state = 'failed') group by key",
  );
  const isNewest = new Set(newest.map((row) => Number(row["id"])));
  const isTakenUp = ({ id, run, rival }: Task) =>
    rival !== null &&
    store.get("select 1 from task where key = ? and id > ? and run <> ? limit 1", rival.of, id, run) !== undefined;
  return failed.filter((task) => isNewest.has(task.id) && !isTakenUp(task));
}

/** What a person cancelled, and nobody has taken up since under the same key, with the text that it had; of rivals their task, where all of them were. */
export function readCancelledTasks(store: Store): { key: string; hash: string }[] {
  const sql = `select coalesce(t.rival ->> '$.of', t.key) as key, t.hash from task t where t.state = 'cancelled' and t.reason = '${BY_PERSON}'
    and t.id in (select max(id) from task group by key)
    and not exists (select 1 from task o where o.run = t.run and o.rival ->> '$.of' = t.rival ->> '$.of' and o.state <> 'cancelled') order by t.id`;
  return store.all(sql).map((row) => ({ key: String(row["key"]), hash: String(row["hash"]) }));
}

/** The reason of a cancelled task where it was a person who cancelled it. */
const BY_PERSON = "cancelled";

/** The newest task of each key that ever reached `done`, with its hash and merge commit. */
export function readDoneTasks(store: Store): { key: string; hash: string; commit: string }[] {
  return store
    .all("select key, hash, commit_oid from task where state = 'done' and commit_oid is not null order by id")
    .map((row) => ({ key: String(row["key"]), hash: String(row["hash"]), commit: String(row["commit_oid"]) }));
}

/** Which agent did each task that is done, the last time that it was. */
export function readDoneBy(store: Store): Map<string, string> {
  const sql =
    "select task.key, attempt.agent from attempt join task on task.id = attempt.task where task.state = 'done' order by attempt.id";
  return new Map(store.all(sql).map((row) => [String(row["key"]), String(row["agent"])]));
}

/** Moves a task and changes what comes with the move. False means somebody else was faster, and that is fine. */
export function moveTask(store: Store, at: number, task: Task, to: TaskState, change: TaskChange = {}): boolean {
  assertLegalMove(task.state, to);
  return store.transaction(() => {
    const moved = store.run("update task set state = ? where id = ? and state = ?", to, task.id, task.state) === 1;
    if (!moved) return false;
    noteChanged(store, task.id);
    changeTask(store, task.id, change);
    const more = {
      ...(change.reason ? { reason: change.reason } : {}),
      ...(change.notBefore && !change.park ? { notBefore: change.notBefore } : {}),
    };
    appendEvent(store, at, { run: task.run, task: task.id }, { kind: "task-moved", from: task.state, to, ...more });
    if (change.park) {
      appendEvent(
        store,
        at,
        { run: task.run, task: task.id },
        { kind: "task-parked", park: change.park, notBefore: change.notBefore ?? null },
      );
    }
    return true;
  });
}

const COLUMNS: Record<keyof TaskChange, [column: string, write: (value: never) => string | number | null]> = {
  park: ["park", (value: Park | null) => (value ? JSON.stringify(value) : null)],
  notBefore: ["not_before", (value: number | null) => value],
  hash: ["hash", (value: string) => value],
  next: ["next", (value: NextStart) => JSON.stringify(value)],
  answers: ["answers", (value: Answered[]) => JSON.stringify(value)],
  failures: ["failures", (value: number) => value],
  repairs: ["repairs", (value: number) => value],
  conflicts: ["conflicts", (value: number) => value],
  cancelWish: ["cancel_wish", (value: boolean) => Number(value)],
  approved: ["approved", (value: boolean) => Number(value)],
  reason: ["reason", (value: string | null) => value],
  commit: ["commit_oid", (value: string | null) => value],
  verified: ["verified", (value: boolean) => Number(value)],
  startedAt: ["started_at", (value: number | null) => value],
  endedAt: ["ended_at", (value: number | null) => value],
};

/** Changes fields of a task without moving it. */
export function changeTask(store: Store, id: number, change: TaskChange): void {
  const entries = Object.entries(change) as [keyof TaskChange, never][];
  if (entries.length === 0) return;
  noteChanged(store, id);
  const sets = entries.map(([key]) => `${COLUMNS[key][0]} = ?`).join(", ");
  store.run(`update task set ${sets} where id = ?`, ...entries.map(([key, value]) => COLUMNS[key][1](value)), id);
}

/** Writes what is known of a rival; the winner is renamed with it. */
export function changeRival(store: Store, { id, key, rival }: Pick<Task, "id" | "key" | "rival">): void {
  noteChanged(store, id);
  store.run("update task set key = ?, rival = ? where id = ?", key, JSON.stringify(rival), id);
}

/** Replaces what a task asks for, unless an attempt was opened or the work was integrated since the task was read: an agent is at work on
 *  the text that its attempt began with. False then. */
export function replaceSpec(store: Store, task: Task, spec: PlannedTask, hash: string, needs: string[]): boolean {
  noteChanged(store, task.id);
  const replaced = store.run(
    "update task set spec = ?, hash = ?, needs = ? where id = ? and state = ?",
    JSON.stringify(spec),
    hash,
    JSON.stringify(needs),
    task.id,
    task.state,
  );
  return replaced === 1;
}

/** A spec can hold a whole document and is read on every turn of the loop: equal text is parsed once. */
const parsedSpecs = new Map<string, PlannedTask>();
const MAX_PARSED_SPECS = 2_000;

function parseSpec(text: string): PlannedTask {
  let spec = parsedSpecs.get(text);
  if (!spec) {
    if (parsedSpecs.size >= MAX_PARSED_SPECS) parsedSpecs.clear();
    spec = parseStored(text) as PlannedTask;
    parsedSpecs.set(text, spec);
  }
  return spec;
}

function toTask(row: Row): Task {
  return {
    id: Number(row["id"]),
    run: String(row["run"]),
    key: String(row["key"]),
    order: Number(row["ord"]),
    state: row["state"] as TaskState,
    spec: parseSpec(String(row["spec"])),
    hash: String(row["hash"]),
    needs: parseStored(row["needs"]) as string[],
    rival: row["rival"] === null ? null : (parseStored(row["rival"]) as Rival),
    park: row["park"] === null ? null : (parseStored(row["park"]) as Park),
    notBefore: row["not_before"] as number | null,
    next: parseStored(row["next"]) as NextStart,
    answers: parseStored(row["answers"]) as Answered[],
    failures: Number(row["failures"]),
    repairs: Number(row["repairs"]),
    conflicts: Number(row["conflicts"]),
    cancelWish: row["cancel_wish"] === 1,
    approved: row["approved"] === 1,
    reason: row["reason"] as string | null,
    commit: row["commit_oid"] as string | null,
    verified: row["verified"] === 1,
    startedAt: row["started_at"] as number | null,
    endedAt: row["ended_at"] as number | null,
  };
}
