/** What a run's log says of the run as a whole, each found by an index: screens ask for it every time that somebody looks, however long the log is. */
import type { Settled } from "../core/conflict-rules.ts";
import type { Event, Fact, FactKind } from "../core/event.ts";
import type { LostChange } from "../core/lost-change.ts";
import type { RoomKind } from "../core/room.ts";
import type { Store } from "./database.ts";
import { toEvent } from "./events.ts";
import { parseStored } from "./stored-json.ts";

type FactOf<K extends FactKind> = Omit<Extract<Fact, { kind: K }>, "kind">;

/** What a budget kept back of a run when that was last written down. */
export function readHeld(store: Store, run: string): FactOf<"run-held"> {
  return readLastWord(store, run, "run-held") ?? { by: null, tasks: [] };
}

/** What usage limits kept back of a run when that was last written down. */
export function readLimited(store: Store, run: string): FactOf<"run-limited">["limits"] {
  return readLastWord(store, run, "run-limited")?.limits ?? [];
}

/** That the target of a run was rewritten below it, in words, as it was last seen; null where it was not. */
export function readRewritten(store: Store, run: string): string | null {
  return readLastWord(store, run, "target-rewritten")?.why ?? null;
}

/** Where its target stood each time that a run took in what was committed there meanwhile, the last one first. */
export function readTakenIn(store: Store, run: string): string[] {
  const sql = "select data from event where run = ? and kind = 'target-taken-in' and task is null order by seq desc";
  return store.all(sql, run).map((row) => (parseStored(row["data"]) as FactOf<"target-taken-in">).tip);
}

/** The tasks of a run whose merged work was taken up last to be checked, by row number. */
export function readChecked(store: Store, run: string): number[] {
  return readLastWord(store, run, "merges-checked")?.tasks ?? [];
}

/** What of a run passed its checks last when it was about to land: a tree, and with which commands; null where nothing did. */
export function readLandingChecked(store: Store, run: string): FactOf<"landing-checked"> | null {
  return readLastWord(store, run, "landing-checked");
}

/** Where its target stood as a run was landed last; null where it never was. */
export function readLandedAs(store: Store, run: string): string | null {
  return readLastWord(store, run, "run-landed")?.commit ?? null;
}

// "task is null" is what the index of a run's own words is made of.
function readLastWord<K extends FactKind>(store: Store, run: string, kind: K): FactOf<K> | null {
  const sql = "select data from event where run = ? and kind = ? and task is null order by seq desc limit 1";
  const row = store.get(sql, run, kind);
  return row ? (parseStored(row["data"]) as FactOf<K>) : null;
}

/** When a person last wished to pause, to stop or to go on with a run (epoch ms); null where nobody did. */
export function readWishedAt(store: Store, run: string): number | null {
  const row = store.get(
    "select at from event where run = ? and kind = 'run-wish' and task is null order by seq desc limit 1",
    run,
  );
  return row ? Number(row["at"]) : null;
}

/** When a run was warned of this (epoch ms); null where it was not. */
export function readWarnedAt(store: Store, run: string, about: string): number | null {
  const sql = "select at from event where run = ? and kind = 'budget-warned' and json_extract(data, '$.about') = ?";
  const row = store.get(sql, run, about);
  return row ? Number(row["at"]) : null;
}

/** Since when (epoch ms) a limit of a run is used up, however often that was written down; null where none is. */
export function readHeldSince(store: Store, run: string): number | null {
  const sql = `select min(at) as at from event where run = ?1 and kind = 'run-held' and task is null and data ->> '$.by' is not null and seq > (
    select coalesce(max(seq), 0) from event where run = ?1 and kind = 'run-held' and task is null and data ->> '$.by' is null)`;
  const at = store.get(sql, run)?.["at"] ?? null;
  return at === null ? null : Number(at);
}

/** When (epoch ms) it was last written down that the branch of a run is astray, or is not any more; null where it never was. */
export function readAstraySince(store: Store, run: string): number | null {
  const sql = "select at from event where run = ? and kind = 'run-astray' and task is null order by seq desc limit 1";
  const row = store.get(sql, run);
  return row ? Number(row["at"]) : null;
}

/** Since when (epoch ms) this is short, by the last words of the log: whoever takes the runs up says it anew; null where they say otherwise. */
export function readShortSince(store: Store, of: RoomKind): number | null {
  const sql = `select min(at) as at from event where kind = 'run-short' and task is null and data ->> '$.of' = ?1 and seq > (
    select coalesce(max(seq), 0) from event where kind = 'run-short' and task is null and data ->> '$.of' is not ?1)`;
  const at = store.get(sql, of)?.["at"] ?? null;
  return at === null ? null : Number(at);
}

/** What resolved conflicts of a run threw away, by the task's row number. */
export function readLost(store: Store, run: string): Map<number, LostChange[]> {
  const rows = store.all("select * from event where run = ? and kind = 'side-lost' order by seq", run);
  const lost = new Map<number, LostChange[]>();
  for (const row of rows) {
    const event = toEvent(row) as Extract<Event, { kind: "side-lost" }>;
    lost.set(event.task!, [...(lost.get(event.task!) ?? []), ...event.lost]);
  }
  return lost;
}

/** The checks of a run that were red and then green on the same tree, oldest first, with the tasks whose work they checked. */
export function readFlakes(store: Store, run: string): { command: string; tasks: number[] }[] {
  const sql = "select * from event where run = ? and kind = 'verify-flaky' order by seq";
  return store.all(sql, run).map((row) => {
    const { command, task, others = [] } = toEvent(row) as Extract<Event, { kind: "verify-flaky" }>;
    return { command, tasks: [...(task === null ? [] : [task]), ...others] };
  });
}

/** What rules settled in the merges of a run, oldest first. */
export function readSettled(store: Store, run: string): { task: number; commit: string; files: Settled[] }[] {
  const sql = "select * from event where run = ? and kind = 'conflicts-settled' order by seq";
  return store.all(sql, run).map((row) => {
    const { task, commit, files } = toEvent(row) as Extract<Event, { kind: "conflicts-settled" }>;
    return { task: task!, commit, files };
  });
}
