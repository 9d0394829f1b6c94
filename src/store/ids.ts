/** Numbers of runs and attempts count up and are never given twice, not even after the store was lost: branches, rescues, worktrees and
 *  folders of the store before still bear the names that it gave. */
import type { Store } from "./database.ts";

/** The highest numbers that were given before this store was made; 0 for none. */
export type TakenIds = { runs: number; attempts: number };

/** What was taken when this store was made; null until somebody has looked. */
export function readTakenIds(store: Store): TakenIds | null {
  const runs = readNumber(store, "runs_before");
  const attempts = readNumber(store, "attempts_before");
  return runs === null || attempts === null ? null : { runs, attempts };
}

/** Writes down what is taken. Never lowers what is written down already. */
export function raiseTakenIds(store: Store, taken: TakenIds): void {
  store.transaction(() => {
    raise(store, "runs_before", taken.runs);
    raise(store, "attempts_before", taken.attempts);
  });
}

/** The number that the next run's id will carry. */
export function nextRunNumber(store: Store): number {
  const own = Number(store.get("select coalesce(max(cast(substr(id, 2) as integer)), 0) as n from run")?.["n"]);
  return Math.max(own, readTakenIds(store)?.runs ?? 0) + 1;
}

/** The id that the next attempt of any task will carry. */
export function nextAttemptId(store: Store): number {
  const own = Number(store.get("select coalesce(max(id), 0) as n from attempt")?.["n"]);
  return Math.max(own, readTakenIds(store)?.attempts ?? 0) + 1;
}

function readNumber(store: Store, key: string): number | null {
  const value = store.get("select value from meta where key = ?", key)?.["value"];
  return value === undefined ? null : Number(value);
}

function raise(store: Store, key: string, to: number): void {
  store.run(
    `insert into meta (key, value) values (?, ?)
     on conflict (key) do update set value = excluded.value where cast(value as integer) < cast(excluded.value as integer)`,
    key,
    String(to),
  );
}
