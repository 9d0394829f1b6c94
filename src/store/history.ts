/** What was done in this repository, over all runs: what estimates are told from. */
import { addUsages, allTokens, type Usage } from "../core/cost.ts";
import { type PastTask, taskKind } from "../core/estimate.ts";
import type { TriedTask } from "../core/history.ts";
import { isInterruption, type Outcome } from "../core/outcome.ts";
import type { Row, Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

/** Older tasks were done by other models at other prices, and reading them all would make every preview slower. */
const MOST_TASKS = 1_000;

const NEWEST_DONE = "select id from task where state = 'done' order by id desc limit ?";

/** The tasks that were done last, newest first, each with its attempts added up. Failed ones are not among them: they tell how long it took to
 *  fail. So are tasks that no agent worked on. */
export function readHistory(store: Store, most = MOST_TASKS): PastTask[] {
  return readPast(store, NEWEST_DONE, most).map(({ past }) => past);
}

const NEWEST = "select id from task order by id desc limit ?";

/** Every task that an agent worked on, in whichever run, newest first. What failed and is tried again has failed until that try comes to its end. */
export function readTried(store: Store): TriedTask[] {
  const failed = new Set(
    store
      .all("select distinct task from event where kind = 'task-moved' and data ->> '$.to' = 'failed'")
      .map((row) => Number(row["task"])),
  );
  return readPast(store, NEWEST, Number.MAX_SAFE_INTEGER).map(({ past, row, attempts }) => ({
    ...past,
    end: endOf(String(row["state"]), failed.has(Number(row["id"]))),
    endedAt: Number(row["ended_at"] ?? attempts.at(-1)!["ended_at"]),
    attempts: attempts.length,
    missed: attempts.filter(hasMissed).length,
  }));
}

function hasMissed({ outcome: text, waited_out: waitedOut }: Row): boolean {
  const outcome = parseStored(text) as Outcome;
  // What its API fails alone, or again and again, is its own affair, and a try.
  if (outcome.kind === "transient") return waitedOut !== 1;
  return outcome.kind !== "ok" && !isInterruption(outcome);
}

function endOf(state: string, hasFailed: boolean): TriedTask["end"] {
  if (state === "done") return "done";
  if (hasFailed) return "failed";
  return state === "cancelled" || state === "skipped" ? "cancelled" : "open";
}

/** The tasks of a query for ids, as far as an agent worked on them. */
function readPast(store: Store, ids: string, most: number): { past: PastTask; row: Row; attempts: Row[] }[] {
  const byTask = Map.groupBy(readAttemptsOf(store, ids, most), (row) => Number(row["task"]));
  const rows = store.all(
    `select id, state, ended_at, spec ->> '$.module' as module, spec ->> '$.tags[0]' as tag, spec ->> '$.estimatedTokens' as tokens
     from task where id in (${ids}) order by id desc`,
    most,
  );
  return rows.flatMap((row) => {
    const attempts = byTask.get(Number(row["id"])) ?? [];
    const past = toPastTask(row, attempts);
    return past === null ? [] : [{ past, row, attempts }];
  });
}

/** The attempts of those tasks, each with the time in which it waited for its rivals, for an approval, and for the merge queue with what is checked there:
 *  that is the same for several, and says how many came home together. `dead_waiting` is what of that queue counts as dead already. `waited_out`: behind an API
 *  that failed it, its task waited for that as for a limit. */
function readAttemptsOf(store: Store, ids: string, most: number): Row[] {
  return store.all(
    `select a.task, a.agent, a.model, a.usage, a.outcome, a.started_at, a.ended_at, a.dead_ms, (
         select sum(coalesce((select next.at from event next where next.attempt = a.id and next.kind = 'attempt-phase' and next.seq > e.seq
                              order by next.seq limit 1), a.ended_at) - e.at)
         from event e where e.attempt = a.id and e.kind = 'attempt-phase' and e.data ->> '$.phase' in ('contest', 'review', 'merge')
       ) as waited, case when a.dead_ms > 0 then (
         select sum(dead.value ->> '$.ms')
         from event carried, json_each(carried.data, '$.dead') dead
         where carried.run = a.run and carried.kind in ('run-carried', 'run-suspended') and dead.value ->> '$.attempt' = a.id
           and (select e.data ->> '$.phase' from event e where e.attempt = a.id and e.kind = 'attempt-phase' and e.seq < carried.seq
                order by e.seq desc limit 1) = 'merge'
       ) end as dead_waiting, case when a.outcome ->> '$.kind' = 'transient' then (
         select e.data ->> '$.park.for' = 'limit' from event e
         where e.task = a.task and e.kind in ('task-parked', 'attempt-opened')
           and e.seq > (select max(own.seq) from event own where own.attempt = a.id and own.kind = 'attempt-phase'
                        and own.data ->> '$.phase' not in ('tidy', 'closed'))
         order by e.seq limit 1
       ) end as waited_out
     from attempt a
     where a.task in (${ids}) and a.ended_at is not null order by a.task, a.number`,
    most,
  );
}

function toPastTask(task: Row, attempts: readonly Row[]): PastTask | null {
  const last = attempts.at(-1);
  if (last === undefined) return null;
  const cost = addUsages(attempts.map(({ usage }) => (usage === null ? null : (parseStored(String(usage)) as Usage))));
  return {
    agent: String(last["agent"]),
    model: last["model"] as string | null,
    kind: taskKind({
      module: task["module"] as string | null,
      tags: task["tag"] === null ? [] : [String(task["tag"])],
    }),
    durationMs: attempts.reduce((sum, each) => sum + workOf(each), 0),
    costUsd: cost.isAtLeast ? null : cost.usd,
    tokens: cost.tokens === null || cost.models.some((model) => model.tokens === null) ? null : allTokens(cost.tokens),
    estimatedTokens: task["tokens"] === null ? null : Number(task["tokens"]),
  };
}

/** Milliseconds. */
function workOf(attempt: Row): number {
  return Math.max(
    0,
    Number(attempt["ended_at"]) -
      Number(attempt["started_at"]) -
      Number(attempt["dead_ms"]) -
      (Number(attempt["waited"] ?? 0) - Number(attempt["dead_waiting"] ?? 0)),
  );
}
