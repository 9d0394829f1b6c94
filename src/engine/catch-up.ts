/** A store can lag behind the world: it was restored from a backup, or the end of its journal was damaged, which SQLite passes over in
 *  silence. Git and the attempts' folders say what happened since; whoever takes the lease holds the store against them, so that nothing is
 *  done twice and no agent's work is left lying. */
import { existsSync } from "node:fs";
import { rivalKey } from "../core/rival.ts";
import { FINAL_STATES, type Task } from "../core/task.ts";
import { renderUsd } from "../core/cost.ts";
import type { Run } from "../core/run.ts";
import { readRef } from "../git/branch.ts";
import { readIntegrations } from "../git/integrations.ts";
import { readAttempt, readOpenAttempts } from "../store/attempts.ts";
import { bringBackAttempt, noteStarted, settleIntegrated, type Worked } from "../store/catch-up.ts";
import { appendEvent } from "../store/events.ts";
import { nextAttemptId, raiseTakenIds } from "../store/ids.ts";
import { readRuns } from "../store/runs.ts";
import { lastIntegrated, readTask, readTasks } from "../store/tasks.ts";
import { type Begun, readBegun, workedAsWritten } from "./begun.ts";
import { type Booked, bookLost, bookOpen, moreThan, readUsage, sum } from "./book-usages.ts";
import { crownFromBranch } from "./contest.ts";
import { attemptDir, type Engine, worktreeHome } from "./engine.ts";
import { readLaunch } from "../system/launch.ts";
import { findTakenIds, listAttemptFolders } from "./taken-ids.ts";

/** What the store did not know: tasks that were integrated, tasks whose attempts were begun, and what attempts used. */
export type CaughtUp = { integrated: string[]; begun: string[]; booked: Booked };

/** Brings the store up to what has happened. Costs a look at a folder and at a branch of each open run where there is nothing to do.
 *  Only for who holds the lease. */
export async function catchUp(engine: Engine): Promise<CaughtUp> {
  const unknown = findUnknown(engine);
  const integrated: string[] = [];
  const begun: string[] = [];
  // Before any of them ends here for want of better knowledge.
  const booked = [await bookOpen(engine)];
  for (const run of readRuns(engine.store, "open")) {
    const done = await settleRun(engine, run, unknown);
    const back = await bringBack(engine, run, unknown);
    const { tasks, used } = back;
    if (done.length + tasks.length > 0) tell(engine, run, { integrated: done, begun: tasks, booked: used });
    integrated.push(...done);
    begun.push(...tasks);
    booked.push(used);
  }
  booked.push(await bookLost(engine));
  // What belongs to runs that the store does not know keeps its numbers; `findLostAgents` tells of what lives of it.
  if (unknown.length > 0) raiseTakenIds(engine.store, await findTakenIds(engine.repo, worktreeHome(engine)));
  return { integrated, begun, booked: sum(booked) };
}

/** What was booked, in words; empty for nothing. */
export function describeBooked({ attempts, usd, tokens }: Booked): string {
  if (attempts === 0) return "";
  const amounts = [...(usd > 0 ? [renderUsd(usd)] : []), ...(tokens > 0 ? [`${tokens} tokens`] : [])];
  return `${amounts.join(" and ")} of ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`;
}

/** Attempts that were begun after the last one that the store knows. */
function findUnknown(engine: Engine): Begun[] {
  const next = nextAttemptId(engine.store);
  return listAttemptFolders(engine.repo)
    .filter((id) => id >= next)
    .toSorted((a, b) => a - b)
    .flatMap((id) => readBegun(engine, id) ?? []);
}

/** Tasks whose merge is on the run's branch are done. */
async function settleRun(engine: Engine, run: Run, unknown: readonly Begun[]): Promise<string[]> {
  const tip = await readRef(engine.repo, `refs/heads/${run.branch}`);
  const last = lastIntegrated(engine.store, run.id) ?? run.base;
  if (tip === null || tip === last) return [];
  const all = readTasks(engine.store, run.id);
  const tasks = new Map(all.map((task) => [task.key, task]));
  // An intent to advance may have come true: the ordinary step finds that out by itself.
  const isAdvancing = new Set(
    readOpenAttempts(engine.store).flatMap(({ phase, candidate }) => (phase === "advance" ? [candidate] : [])),
  );
  const settled: string[] = [];
  for (const merge of await readIntegrations(engine.repo, last, tip).catch(() => [])) {
    if (merge.run !== run.id || isAdvancing.has(merge.commit)) continue;
    const begun = unknown.find(({ attempt }) => attempt.id === merge.attempt);
    const by = begun?.attempt ?? readAttempt(engine.store, merge.attempt);
    const task = tasks.get(merge.task) ?? crownFromBranch(engine, all, merge.task, by);
    if (!task || task.state === "done") continue;
    const hash = begun?.hash ?? null;
    settleIntegrated(engine.store, engine.now(), task, { ...merge, hash }, workedAt(engine, task));
    settled.push(task.key);
  }
  return settled;
}

/** What the agents took that were at work at a task by what the store knew. */
function workedAt(engine: Engine, { id }: Task): Map<number, Worked> {
  const atWork = readOpenAttempts(engine.store).filter(({ task, phase }) => task === id && phase === "agent");
  return new Map(
    atWork.flatMap((attempt) => {
      const worked = workedAsWritten(engine, attempt.id);
      return worked === null ? [] : [[attempt.id, worked]];
    }),
  );
}

/** The last attempt of each task is carried on where its worktree still stands; earlier ones have ended. */
async function bringBack(
  engine: Engine,
  run: Run,
  unknown: readonly Begun[],
): Promise<{ tasks: string[]; used: Booked }> {
  const tasks = readTasks(engine.store, run.id);
  const ours = unknown
    .filter(({ attempt }) => attempt.run === run.id)
    .flatMap((each) => {
      const task = taskOf(tasks, each);
      return task === undefined ? [] : [{ each, task }];
    });
  const last = new Map(ours.map(({ each, task }) => [task.id, each.attempt.id]));
  const used: (Booked | null)[] = [];
  for (const { each, task } of ours)
    used.push(await bringBackOne(engine, task, each, last.get(task.id) === each.attempt.id));
  const early = readOpenAttempts(engine.store).filter(
    ({ run: of, id, phase }) => of === run.id && TOO_EARLY.has(phase) && wasLaunched(engine, id),
  );
  for (const attempt of early) noteStarted(engine.store, engine.now(), readTask(engine.store, attempt.task)!, attempt);
  const keys = [...ours.map(({ task }) => task.key), ...early.map(({ task }) => readTask(engine.store, task)!.key)];
  return { tasks: [...new Set(keys)], used: sum(used) };
}

/** Whom it was begun for. A rival had won by then who has not in the store: it was that agent's. One that is the task now had another key before. */
function taskOf(tasks: readonly Task[], { key, attempt }: Begun): Task | undefined {
  return (
    tasks.find((task) => task.key === key) ??
    tasks.find(({ rival }) => rival?.agent === attempt.agent && (rival.of === key || rivalKey(rival.of, rival) === key))
  );
}

/** What comes before the agent is over once it was launched. */
const TOO_EARLY = new Set(["workspace", "setup"]);

function wasLaunched(engine: Engine, attempt: number): boolean {
  return readLaunch(attemptDir(engine, attempt)).kind !== "unclaimed";
}

/** Gives what it had used. */
async function bringBackOne(
  engine: Engine,
  { id }: Task,
  { attempt, next }: Begun,
  isLast: boolean,
): Promise<Booked | null> {
  // Of one that was being taken away its branch may be all that is left.
  const hasBranch = (await readRef(engine.repo, `refs/heads/${attempt.branch}`)) !== null;
  const usage = await readUsage(engine, attempt);
  const task = readTask(engine.store, id)!;
  if (readAttempt(engine.store, attempt.id) !== null) return null;
  const stands = existsSync(attempt.worktree);
  const launched = wasLaunched(engine, attempt.id);
  // A worktree that stands goes the ordinary way: what it holds is saved first.
  const over = stands || hasBranch ? "tidy" : "closed";
  const now = engine.now();
  const worked = workedAsWritten(engine, attempt.id);
  if (task.state === "done") {
    bringBackAttempt(engine.store, now, task, attempt, { phase: over, outcome: { kind: "ok" }, usage, worked });
  } else if (isLast && (stands || !launched) && !FINAL_STATES.has(task.state)) {
    const phase = launched ? "agent" : "workspace";
    bringBackAttempt(engine.store, now, task, attempt, { phase, outcome: null, next, usage, worked });
  } else {
    const reason = "how it ended was lost with the store";
    bringBackAttempt(engine.store, now, task, attempt, {
      phase: over,
      outcome: { kind: "failed", reason },
      usage,
      worked,
    });
  }
  return usage === null ? null : moreThan(null, usage);
}

function tell(engine: Engine, run: Run, { integrated, begun, booked }: CaughtUp): void {
  const parts = [
    ...(integrated.length > 0 ? [`integrated already: ${integrated.join(", ")}`] : []),
    ...(begun.length > 0 ? [`begun already: ${begun.join(", ")}`] : []),
    ...(booked.attempts > 0 ? [`spent already: ${describeBooked(booked)}`] : []),
  ];
  const text = `the store was older than the repository and was brought up to it; ${parts.join("; ")}. Answers and wishes given since may be missing`;
  appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "note", text });
}
