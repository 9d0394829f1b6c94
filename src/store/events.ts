/** The event log: append inside the transaction that made the fact true, read from a cursor. */
import type { Attempt, AttemptPhase } from "../core/attempt.ts";
import { CARRIER_KINDS, type Event, type Fact } from "../core/event.ts";
import { momentOf } from "../core/notification.ts";
import type { Row, Store } from "./database.ts";
import { putMoment } from "./outbox.ts";
import { parseStored } from "./stored-json.ts";

/** What an event is about. */
export type About = { run?: string | null; task?: number | null; attempt?: number | null };

/** What `Store.onAppend` tells beside the kinds of facts: something was put into the outbox. */
export const TO_BE_TOLD = "to-be-told";

/** Appends one fact, and with it what a person is to be told of it. `at` is epoch milliseconds. */
export function appendEvent(store: Store, at: number, about: About, fact: Fact): void {
  const told = momentOf(fact, about.run ?? null);
  if (told === null) insertEvent(store, at, about, fact);
  else
    store.transaction(() => {
      const seq = insertEvent(store, at, about, fact);
      const { run = null, task = null } = about;
      putMoment(store, at, told.key ?? `event ${seq}`, { run, task, moment: told.moment });
      store.noteAppend(TO_BE_TOLD);
    });
}

function insertEvent(store: Store, at: number, about: About, fact: Fact): number {
  const { kind, ...data } = fact;
  const seq = store.insert(
    "insert into event (at, run, task, attempt, kind, data) values (?, ?, ?, ?, ?, ?)",
    at,
    about.run ?? null,
    about.task ?? null,
    about.attempt ?? null,
    kind,
    JSON.stringify(data),
  );
  // That a task begins takes a place, and makes none.
  store.noteAppend(fact.kind === "task-moved" && fact.to === "running" ? BEGUN : kind);
  return seq;
}

/** What listeners are told in place of "task-moved" where a task began. */
export const BEGUN = "task-begun";

/** Events with a number above `seq`, oldest first, at most `most`. */
export function eventsAfter(store: Store, seq: number, filter: { run?: string } = {}, most = 1_000): Event[] {
  const rows =
    filter.run === undefined
      ? store.all("select * from event where seq > ? order by seq limit ?", seq, most)
      : store.all("select * from event where seq > ? and run = ? order by seq limit ?", seq, filter.run, most);
  return rows.map(toEvent);
}

/** For how long (ms) each attempt of a run waited for its rivals or for an approval, by its id. `now` ends what still waits. */
export function readReviewTimes(store: Store, run: string, now: number): Map<number, number> {
  return readPhaseTimes(store, run, now, ["contest", "review"]);
}

/** The same of the time in which its work was checked and merged, and waited for that. */
export function readCheckTimes(store: Store, run: string, now: number): Map<number, number> {
  return readPhaseTimes(store, run, now, ["verify", "merge", "advance"]);
}

function readPhaseTimes(store: Store, run: string, now: number, phases: readonly AttemptPhase[]): Map<number, number> {
  const sql = `select attempt, at, json_extract(data, '$.phase') in (${phases.map((phase) => `'${phase}'`).join(", ")}) as counts
    from event where run = ? and kind in ('attempt-phase', 'attempt-ended') order by seq`;
  const since = new Map<number, number>();
  const times = new Map<number, number>();
  const count = (attempt: number, until: number) => {
    const from = since.get(attempt);
    if (from !== undefined) times.set(attempt, (times.get(attempt) ?? 0) + until - from);
    since.delete(attempt);
  };
  for (const row of store.all(sql, run)) {
    count(Number(row["attempt"]), Number(row["at"]));
    if (row["counts"] === 1) since.set(Number(row["attempt"]), Number(row["at"]));
  }
  for (const attempt of since.keys()) count(attempt, now);
  return times;
}

/** The events of a run that tell what its tasks waited for, oldest first: most others are steps of an attempt at work, several times as many.
 *  Among them are the last word of who carried it before each time that a process took the run up, and the last of all. */
export function readWaitingEvents(store: Store, run: string): Event[] {
  const sql = `select * from event where run = ?1 and (
      kind in (${listed(WAITING_KINDS)})
      or (kind = 'attempt-phase' and data ->> '$.phase' in ('contest', 'review', 'collect', 'verify', 'merge'))
      or (kind = 'verify-started' and data ->> '$.where' = 'task')
      or ${LAST_WORDS}
    ) order by seq`;
  return store.all(sql, run).map(toEvent);
}

const listed = (kinds: readonly Fact["kind"][]) => kinds.map((kind) => `'${kind}'`).join(", ");

/** Of who carried a run (?1), before another process took it up, and now. */
const LAST_WORDS = `(seq in (select ${lastWord("p.seq < c.seq")} from event c where c.run = ?1 and c.kind = 'run-carried') or seq = ${lastWord("true")})`;

function lastWord(bound: string): string {
  return `(select p.seq from event p where p.run = ?1 and (p.attempt is not null or p.kind in (${listed(CARRIER_KINDS)})) and ${bound}
      order by p.seq desc limit 1)`;
}

const WAITING_KINDS: Fact["kind"][] = [
  "run-created",
  "run-carried",
  "run-suspended",
  "clock-set",
  "run-wish",
  "run-held",
  "run-limited",
  "run-short",
  "run-apart",
  "tip-red",
  "run-astray",
  "run-behind",
  "run-ended",
  "tasks-joined",
  "task-moved",
  "task-parked",
  "task-answered",
  "task-next",
  "merges-checked",
  "attempt-ended",
];

/** When (epoch ms) an attempt came into the phase that it is in. */
export function readPhaseBegan(store: Store, attempt: number): number {
  const row = store.get("select max(at) as at from event where attempt = ? and kind = 'attempt-phase'", attempt);
  return Number(row?.["at"] ?? 0);
}

/** When (epoch ms) the last word was written of an attempt by who carried it: a new phase of its, or that its run was taken up. */
export function readLastStep(store: Store, { id, run }: Pick<Attempt, "id" | "run">): number {
  const row = store.get(
    `select max(at) as at from (select at from event where attempt = ?1 and kind = 'attempt-phase'
       union all select at from event where run = ?2 and kind in ('run-carried', 'run-suspended'))`,
    id,
    run,
  );
  return Number(row?.["at"] ?? 0);
}

/** The events of a run that open, carry and end its attempts and checks, and the last words of who carried it, oldest first. */
export function readStepEvents(store: Store, run: string): Event[] {
  const sql = `select * from event where run = ?1 and ((attempt is not null or kind in ('run-carried', 'run-suspended', 'clock-set'))
    and kind in ('run-carried', 'run-suspended', 'clock-set', 'attempt-opened', 'attempt-phase', 'attempt-ended', 'verify-started', 'verify-ended')
    or ${LAST_WORDS}) order by seq`;
  return store.all(sql, run).map(toEvent);
}

/** When (epoch ms) the agents of a run's attempts ended, by attempt: the last of each. */
export function readAgentEnds(store: Store, run: string): Map<number, number> {
  const sql = "select attempt, max(at) as ended from event where run = ? and kind = 'agent-ended' group by attempt";
  return new Map(store.all(sql, run).map((row) => [Number(row["attempt"]), Number(row["ended"])]));
}

/** Whether a check of an attempt in its own worktree has begun since it came to be checked there. */
export function isBeingChecked(store: Store, attempt: number): boolean {
  const sql =
    "select kind from event where attempt = ? and kind in ('attempt-phase', 'verify-started') order by seq desc limit 1";
  return store.get(sql, attempt)?.["kind"] === "verify-started";
}

/** What happened beside an attempt's agent, oldest first: that it did nothing any more, checks that ended, notes. */
export function readBeside(store: Store, attempt: Pick<Attempt, "id" | "task">): Event[] {
  const sql = `select * from event where task = ? and attempt = ?
    and kind in ('agent-hung', 'verify-ended', 'verify-flaky', 'note') order by seq`;
  return store.all(sql, attempt.task, attempt.id).map(toEvent);
}

/** The last events of a task, oldest first. */
export function readLastEvents(store: Store, task: number, most: number): Event[] {
  const sql = "select * from event where task = ? order by seq desc limit ?";
  return store.all(sql, task, most).map(toEvent).toReversed();
}

/** Since when (epoch ms) a task stands as it does: when it was last parked or moved; null where neither happened. */
export function readWaitsSince(store: Store, task: number): number | null {
  const sql = "select at from event where task = ? and kind in ('task-parked', 'task-moved') order by seq desc limit 1";
  const row = store.get(sql, task);
  return row ? Number(row["at"]) : null;
}

/** The highest event number; 0 when nothing has happened. */
export function lastSeq(store: Store): number {
  return Number(store.get("select max(seq) as seq from event")?.["seq"] ?? 0);
}

/** One row of the log. */
export function toEvent(row: Row): Event {
  const data = parseStored(row["data"]) as object;
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

/** Whether the log of a run has this note already. */
export function hasNote(store: Store, run: string, text: string): boolean {
  const sql = "select 1 from event where run = ? and kind = 'note' and json_extract(data, '$.text') = ?";
  return store.get(sql, run, text) !== undefined;
}
