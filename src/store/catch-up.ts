/** Writes into a store that lags behind the world what git and the attempts' folders show. These are no moves: what they say has happened. */
import type { Attempt, AttemptPhase } from "../core/attempt.ts";
import type { Usage } from "../core/cost.ts";
import type { Outcome } from "../core/outcome.ts";
import type { NextStart, Task } from "../core/task.ts";
import type { Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { noteChanged } from "./known-tasks.ts";
import { forgetLanding } from "./runs.ts";

/** Since when (epoch ms), and for how long, an agent worked. */
export type Worked = { began: number; workedMs: number };

/** A task whose merge is on its run's branch is done, whatever the store held of it. Its open attempts ended well; `worked` is what those took that were at work, by
 *  their number. */
export function settleIntegrated(
  store: Store,
  at: number,
  task: Task,
  merge: { commit: string; verified: boolean; hash: string | null },
  worked: ReadonlyMap<number, Worked>,
): void {
  store.transaction(() => {
    for (const [attempt, each] of worked) noteWorked(store, { run: task.run, task: task.id, attempt }, each);
    endOpenAttempts(store, at, task.id, { kind: "ok" });
    store.run(
      `update task set state = 'done', commit_oid = ?, verified = ?, hash = ?, ended_at = ?, reason = null, park = null, not_before = null,
         cancel_wish = 0 where id = ?`,
      merge.commit,
      Number(merge.verified),
      merge.hash ?? task.hash,
      at,
      task.id,
    );
    noteChanged(store, task.id);
    forgetLanding(store, task.run);
    const { commit, verified } = merge;
    appendEvent(store, at, { run: task.run, task: task.id }, { kind: "task-moved", from: task.state, to: "done" });
    appendEvent(store, at, { run: task.run, task: task.id }, { kind: "task-integrated", commit, verified });
  });
}

/** An attempt that was opened after the store's last word is written down again, to be carried on from `phase`. One with an outcome has ended. */
export function bringBackAttempt(
  store: Store,
  at: number,
  task: Task,
  attempt: Attempt,
  stands: {
    phase: AttemptPhase;
    outcome: Outcome | null;
    next?: NextStart;
    usage: Usage | null;
    worked: Worked | null;
  },
): void {
  store.transaction(() => {
    const { phase, outcome, usage, worked } = stands;
    if (outcome === null)
      endOpenAttempts(store, at, task.id, { kind: "failed", reason: "a later attempt took its place" });
    store.run(
      `insert into attempt (id, run, task, number, continues, phase, agent, model, session, base, branch, worktree, given, outcome, usage,
         started_at, ended_at)
       values (?, ?, ?, (select coalesce(max(number), 0) + 1 from attempt where task = ?), ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      attempt.id,
      task.run,
      task.id,
      task.id,
      attempt.continues,
      phase,
      attempt.agent,
      attempt.model,
      attempt.session,
      attempt.base,
      attempt.branch,
      attempt.worktree,
      task.hash,
      outcome === null ? null : JSON.stringify(outcome),
      usage === null ? null : JSON.stringify(usage),
      attempt.startedAt,
      outcome === null ? null : at,
    );
    const { number, agent, branch, worktree, base } = attempt;
    const about = { run: task.run, task: task.id, attempt: attempt.id };
    appendEvent(store, at, about, { kind: "attempt-opened", number, agent, branch, worktree, base });
    if (worked !== null) {
      appendEvent(store, worked.began, about, { kind: "attempt-phase", phase: "agent" });
      if (outcome !== null) noteWorked(store, about, worked);
    }
    // What counts the tasks of a day goes by that.
    store.run(
      "update task set started_at = ? where id = ? and started_at is null",
      Math.round(attempt.startedAt),
      task.id,
    );
    noteChanged(store, task.id);
    if (stands.next !== undefined) setRunning(store, at, task, stands.next);
  });
}

function noteWorked(
  store: Store,
  about: { run: string; task: number; attempt: number },
  { began, workedMs }: Worked,
): void {
  appendEvent(store, began + workedMs, about, { kind: "agent-ended", workedMs });
}

/** The attempts of which this store knows what they used, though not their run. */
export function readLostUsages(store: Store): Set<number> {
  return new Set(store.all("select attempt from lost_usage").map((row) => Number(row["attempt"])));
}

/** What an attempt used whose run was lost with an earlier store; `task` names the one that was begun with it today, null where none was. */
export type LostUse = { usage: Usage; workedMs: number; task: string | null };

/** Writes it down; `at` is when it was last at work (epoch ms). */
export function bookLostUse(store: Store, attempt: number, at: number, { usage, workedMs, task }: LostUse): void {
  const sql = "insert or replace into lost_usage (attempt, at, usage, worked_ms, task) values (?, ?, ?, ?, ?)";
  store.run(sql, attempt, Math.round(at), JSON.stringify(usage), workedMs, task);
}

/** The agent of an attempt was started after the store's last word. */
export function noteStarted(store: Store, at: number, task: Task, attempt: Attempt): void {
  store.transaction(() => {
    store.run("update attempt set phase = 'agent', given = ? where id = ?", task.hash, attempt.id);
    appendEvent(
      store,
      at,
      { run: task.run, task: task.id, attempt: attempt.id },
      { kind: "attempt-phase", phase: "agent" },
    );
  });
}

function setRunning(store: Store, at: number, task: Task, next: NextStart): void {
  store.run(
    "update task set state = 'running', next = ?, park = null, not_before = null, started_at = coalesce(started_at, ?) where id = ?",
    JSON.stringify(next),
    at,
    task.id,
  );
  noteChanged(store, task.id);
  if (task.state !== "running")
    appendEvent(store, at, { run: task.run, task: task.id }, { kind: "task-moved", from: task.state, to: "running" });
}

function endOpenAttempts(store: Store, at: number, task: number, outcome: Outcome): void {
  const sql = "update attempt set phase = 'tidy', outcome = ?, ended_at = ? where task = ? and outcome is null";
  store.run(sql, JSON.stringify(outcome), at, task);
}
