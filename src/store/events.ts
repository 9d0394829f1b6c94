/** The event log: append inside the transaction that made the fact true, read from a cursor. */
import type { Event, Fact, FactKind } from "../core/event.ts";
import type { Row, Store } from "./database.ts";

/** What an event is about. */
export type About = { run?: string | null; task?: number | null; attempt?: number | null };

/** Appends one fact. `at` is epoch milliseconds. */
export function appendEvent(store: Store, at: number, about: About, fact: Fact): void {
  const { kind, ...data } = fact;
  store.run(
    "insert into event (at, run, task, attempt, kind, data) values (?, ?, ?, ?, ?, ?)",
    at,
    about.run ?? null,
    about.task ?? null,
    about.attempt ?? null,
    kind,
    JSON.stringify(data),
  );
  store.noteAppend();
}

/** Events with a number above `seq`, oldest first, at most `most`. */
export function eventsAfter(store: Store, seq: number, filter: { run?: string } = {}, most = 1_000): Event[] {
  const rows =
    filter.run === undefined
      ? store.all("select * from event where seq > ? order by seq limit ?", seq, most)
      : store.all("select * from event where seq > ? and run = ? order by seq limit ?", seq, filter.run, most);
  return rows.map(toEvent);
}

/** The highest event number; 0 when nothing has happened. */
export function lastSeq(store: Store): number {
  return Number(store.get("select max(seq) as seq from event")?.["seq"] ?? 0);
}

/** All events of one task, oldest first, or only those of one kind. */
export function eventsOfTask(store: Store, task: number, kind?: FactKind): Event[] {
  const rows =
    kind === undefined
      ? store.all("select * from event where task = ? order by seq", task)
      : store.all("select * from event where task = ? and kind = ? order by seq", task, kind);
  return rows.map(toEvent);
}

function toEvent(row: Row): Event {
  const data = JSON.parse(String(row["data"])) as object;
  return {
    seq: Number(row["seq"]),
    at: Number(row["at"]),
    run: row["run"] as string | null,
    task: row["task"] as number | null,
    attempt: row["attempt"] as number | null,
    kind: row["kind"],
    ...data,
  } as Event;
}
