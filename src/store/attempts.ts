/** Attempts in the store: opened with their intent, carried phase by phase, closed with an outcome. */
import type { Attempt, AttemptPhase } from "../core/attempt.ts";
import type { Usage } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import type { Park } from "../core/task.ts";
import type { Row, Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { nextAttemptId } from "./ids.ts";
import { parseStored } from "./stored-json.ts";

export type NewAttempt = Pick<
  Attempt,
  "run" | "task" | "continues" | "phase" | "agent" | "model" | "session" | "base"
> & {
  /** Names the branch and the worktree by the attempt's id, which is unique in the repository. */
  place(id: number): Pick<Attempt, "branch" | "worktree">;
};

export type AttemptChange = Partial<
  Pick<Attempt, "given" | "head" | "verifiedTree" | "candidate" | "session" | "stop">
>;

/** The number that the task's next attempt will carry. */
function nextAttemptNumber(store: Store, task: number): number {
  return Number(store.get("select coalesce(max(number), 0) + 1 as n from attempt where task = ?", task)?.["n"]);
}

/** Writes the intent to try a task. */
export function openAttempt(store: Store, at: number, attempt: NewAttempt): Attempt {
  return store.transaction(() => {
    const number = nextAttemptNumber(store, attempt.task);
    const id = nextAttemptId(store);
    const place = attempt.place(id);
    store.run(
      `insert into attempt (id, run, task, number, continues, phase, agent, model, session, base, branch, worktree, started_at)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      id,
      attempt.run,
      attempt.task,
      number,
      attempt.continues,
      attempt.phase,
      attempt.agent,
      attempt.model,
      attempt.session,
      attempt.base,
      place.branch,
      place.worktree,
      at,
    );
    appendEvent(
      store,
      at,
      { run: attempt.run, task: attempt.task, attempt: id },
      {
        kind: "attempt-opened",
        number,
        agent: attempt.agent,
        branch: place.branch,
        worktree: place.worktree,
        base: attempt.base,
      },
    );
    return readAttempt(store, id)!;
  });
}

/** Moves an attempt to its next phase: the intent of what is done now. False means somebody else was faster. */
export function moveAttempt(
  store: Store,
  at: number,
  attempt: Attempt,
  phase: AttemptPhase,
  change: AttemptChange = {},
): boolean {
  return store.transaction(() => {
    const moved =
      store.run("update attempt set phase = ? where id = ? and phase = ?", phase, attempt.id, attempt.phase) === 1;
    if (!moved) return false;
    changeAttempt(store, attempt.id, change);
    appendEvent(store, at, aboutAttempt(attempt), { kind: "attempt-phase", phase });
    return true;
  });
}

/** Ends an attempt with its outcome; what remains is tidying up. False means it had ended already. */
export function endAttempt(
  store: Store,
  at: number,
  attempt: Attempt,
  outcome: Outcome,
  change: AttemptChange = {},
): boolean {
  return store.transaction(() => {
    const ended =
      store.run(
        "update attempt set phase = 'tidy', outcome = ?, ended_at = ? where id = ? and outcome is null",
        JSON.stringify(outcome),
        at,
        attempt.id,
      ) === 1;
    if (!ended) return false;
    changeAttempt(store, attempt.id, change);
    appendEvent(store, at, aboutAttempt(attempt), { kind: "attempt-ended", outcome, usage: attempt.usage });
    return true;
  });
}

/** The newest attempt on a branch; null when there was none. */
export function lastAttemptOn(store: Store, branch: string, except = 0): Attempt | null {
  const row = store.get("select * from attempt where branch = ? and id <> ? order by id desc limit 1", branch, except);
  return row ? toAttempt(row) : null;
}

/** The newest attempt in a worktree; null when there was none. */
export function lastAttemptIn(store: Store, worktree: string): Attempt | null {
  const row = store.get("select * from attempt where worktree = ? order by id desc limit 1", worktree);
  return row ? toAttempt(row) : null;
}

/** Has the places of a task's ended attempts tidied again: they were kept for something that will not happen now. */
export function tidyAgain(store: Store, task: number): void {
  store.run(
    `update attempt set phase = 'tidy' where task = ? and phase = 'closed'
     and id in (select max(id) from attempt where task = ? group by worktree)`,
    task,
    task,
  );
}

/** Records what the attempt cost so far. */
export function setUsage(store: Store, attempt: number, usage: Usage): void {
  store.run("update attempt set usage = ? where id = ?", JSON.stringify(usage), attempt);
}

/** Adds to the time (ms) in which an attempt was dead. */
export function addDeadTime(store: Store, attempt: number, ms: number): void {
  store.run("update attempt set dead_ms = dead_ms + ? where id = ?", ms, attempt);
}

const COLUMNS: Record<keyof AttemptChange, string> = {
  given: "given",
  head: "head",
  verifiedTree: "verified_tree",
  candidate: "candidate",
  session: "session",
  stop: "stop",
};

export function changeAttempt(store: Store, id: number, change: AttemptChange): void {
  const entries = Object.entries(change) as [keyof AttemptChange, string | null][];
  if (entries.length === 0) return;
  const sets = entries.map(([key]) => `${COLUMNS[key]} = ?`).join(", ");
  store.run(`update attempt set ${sets} where id = ?`, ...entries.map(([, value]) => value), id);
}

export function readAttempt(store: Store, id: number): Attempt | null {
  const row = store.get("select * from attempt where id = ?", id);
  return row ? toAttempt(row) : null;
}

/** Attempts that still have something to be done, oldest first. */
export function readOpenAttempts(store: Store): Attempt[] {
  return store.all("select * from attempt where phase <> 'closed' order by id").map(toAttempt);
}

/** The worktrees that attempts are at work in, stay in, or that a person has taken over, with their tasks. */
export function readOpenPlaces(store: Store): Map<string, { key: string; run: string }> {
  const sql = `select attempt.worktree, task.key, task.run from attempt join task on task.id = attempt.task
    where phase <> 'closed'
      or (json_extract(task.park, '$.for') = 'hand' and json_extract(task.park, '$.worktree') = attempt.worktree)
    order by attempt.id`;
  return new Map(
    store.all(sql).map((row) => [String(row["worktree"]), { key: String(row["key"]), run: String(row["run"]) }]),
  );
}

/** The worktrees in which tasks go on once a limit is over, or an API answers, each with its agent and what it waits for. */
export function readLimitedPlaces(store: Store): Map<string, { agent: string; park: Extract<Park, { for: "limit" }> }> {
  const sql = `select attempt.worktree, attempt.agent, task.park from attempt join task on task.id = attempt.task
    join run on run.id = task.run
    where run.state = 'open' and task.state = 'pending' and json_extract(task.park, '$.for') = 'limit' order by attempt.id`;
  return new Map(
    store.all(sql).map((row) => {
      const park = parseStored(row["park"]) as Extract<Park, { for: "limit" }>;
      return [String(row["worktree"]), { agent: String(row["agent"]), park }];
    }),
  );
}

/** A worktree of a run: its task, and the branches that its work comes together on. */
export type RunPlace = { key: string; run: string; isOpen: boolean; branch: string; target: string };

/** Every worktree that an attempt ever had, by path. `isOpen`: its run has not ended, or an attempt has not; whoever works there goes on. */
export function readRunPlaces(store: Store): Map<string, RunPlace> {
  const sql = `select attempt.worktree, task.key, run.id, run.branch, run.target,
    max(run.state = 'open' or attempt.phase <> 'closed') as open
    from attempt join task on task.id = attempt.task join run on run.id = attempt.run
    group by attempt.worktree, run.id order by open, max(attempt.id)`;
  return new Map(
    store.all(sql).map((row) => {
      const text = (name: string) => String(row[name]);
      const place = { key: text("key"), run: text("id"), branch: text("branch"), target: text("target") };
      return [text("worktree"), { ...place, isOpen: row["open"] === 1 }];
    }),
  );
}

/** All attempts of a task, oldest first. */
export function readAttempts(store: Store, task: number): Attempt[] {
  return store.all("select * from attempt where task = ? order by number", task).map(toAttempt);
}

/** All attempts of a run, oldest first. */
export function readAttemptsOfRun(store: Store, run: string): Attempt[] {
  return store.all("select * from attempt where run = ? order by id", run).map(toAttempt);
}

/** The attempts of an agent that ended last, the newest first, at most so many. */
export function readLastEnded(store: Store, agent: string, most: number): Attempt[] {
  const sql = "select * from attempt where agent = ? and ended_at is not null order by ended_at desc, id desc limit ?";
  return store.all(sql, agent, most).map(toAttempt);
}

/** Whether any agent has its turn now. */
export function isAnyAgentAtWork(store: Store): boolean {
  return store.get("select 1 from attempt where phase <> 'closed' and phase = 'agent' limit 1") !== undefined;
}

/** What attempts used that were at work after `since` (epoch ms), those of a lost store among them. */
export function readUsagesSince(store: Store, since: number): Usage[] {
  const sql = `select usage from attempt where usage is not null and (ended_at is null or ended_at >= ?)
    union all select usage from lost_usage where at >= ?`;
  return store.all(sql, since, since).map((row) => parseStored(row["usage"]) as Usage);
}

/** For how long (ms) the agents of a run's attempts had the word, by the attempt's id; those that have it still are not among them. */
export function readWorkedTimes(store: Store, run: string): Map<number, number> {
  const rows = store.all(`${TURNS} where a.run = ? and a.phase <> 'agent'`, run);
  const times = new Map<number, number>();
  for (const row of rows) times.set(Number(row["id"]), (times.get(Number(row["id"])) ?? 0) + workedIn(row));
  return times;
}

/** For how long (ms) all agents of the repository together had the word since then. `goesOn` says it of an attempt whose agent has it still. */
export function readWorkedSince(store: Store, since: number, now: number, goesOn: (attempt: number) => number): number {
  const rows = store.all(`${TURNS} where a.ended_at is null or a.ended_at >= ?`, since);
  const lost = store.get(
    "select coalesce(sum(min(worked_ms, at - ?)), 0) as worked from lost_usage where at >= ?",
    since,
    since,
  );
  return rows.reduce((sum, row) => {
    const { id, ended } = row;
    const [until, worked] = ended === null ? [now, goesOn(Number(id))] : [Number(ended), workedIn(row)];
    return sum + Math.max(0, Math.min(worked, until - since));
  }, Number(lost?.["worked"]));
}

/** The clock on the wall is asked only where nothing better is on record. */
function workedIn({ began, ended, worked }: Row): number {
  return worked === null ? Math.max(0, Number(ended) - Number(began)) : Number(worked);
}

/** A turn begins with the phase of the agent, and ends with the next one. */
const TURNS = `select a.id, e.at as began,
    (select done.data ->> '$.workedMs' from event done where done.attempt = a.id and done.kind = 'agent-ended' and done.seq > e.seq
      order by done.seq limit 1) as worked,
    coalesce((select next.at from event next where next.attempt = a.id and next.kind = 'attempt-phase' and next.seq > e.seq
              order by next.seq limit 1), a.ended_at) as ended
  from attempt a join event e on e.attempt = a.id and e.kind = 'attempt-phase' and e.data ->> '$.phase' = 'agent'`;

/** Attempts that ended before `before` (epoch ms), for the pruning of their folders. */
export function readAttemptsEndedBefore(store: Store, before: number): number[] {
  return store
    .all("select id from attempt where phase = 'closed' and ended_at < ?", before)
    .map((row) => Number(row["id"]));
}

function aboutAttempt(attempt: Attempt): { run: string; task: number; attempt: number } {
  return { run: attempt.run, task: attempt.task, attempt: attempt.id };
}

function toAttempt(row: Row): Attempt {
  return {
    id: Number(row["id"]),
    run: String(row["run"]),
    task: Number(row["task"]),
    number: Number(row["number"]),
    continues: row["continues"] as number | null,
    phase: row["phase"] as AttemptPhase,
    agent: String(row["agent"]),
    model: row["model"] as string | null,
    session: String(row["session"]),
    base: String(row["base"]),
    branch: String(row["branch"]),
    worktree: String(row["worktree"]),
    given: row["given"] as string | null,
    head: row["head"] as string | null,
    verifiedTree: row["verified_tree"] as string | null,
    candidate: row["candidate"] as string | null,
    stop: row["stop"] as Attempt["stop"],
    outcome: row["outcome"] === null ? null : (parseStored(row["outcome"]) as Outcome),
    usage: row["usage"] === null ? null : (parseStored(row["usage"]) as Usage),
    peakBytes: row["peak_bytes"] as number | null,
    startedAt: Number(row["started_at"]),
    endedAt: row["ended_at"] as number | null,
    deadMs: Number(row["dead_ms"]),
  };
}
