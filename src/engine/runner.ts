/** The loop that carries every open run: look, decide, act, wait for something to happen. It holds nothing in memory
 *  that is not in the store, so whoever takes over goes on where it stopped. */
import { pathsBelow } from "../core/dag.ts";
import type { Attempt } from "../core/attempt.ts";
import type { Run } from "../core/run.ts";
import { decideStarts } from "../core/schedule.ts";
import type { Task } from "../core/task.ts";
import { countFinal, findSkips, isSettled, viewTasks } from "../core/view.ts";
import { createBranch, readRef } from "../git/branch.ts";
import { sweepTrash } from "../git/remove.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { endRun, readRun, readRuns } from "../store/runs.ts";
import { moveTask, readTasks } from "../store/tasks.ts";
import { carryAttempt, startAttempt } from "./attempt.ts";
import { requestStop } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";
import { removeIntegrationWorktree } from "./tidy.ts";
import { nextChange } from "./wake.ts";

export type CarryOptions = {
  /** Aborted when this process is to leave: agents are parked with their conversations. */
  signal: AbortSignal;
  /** Return as soon as this run is settled; without it, when every open run is. */
  until?: string;
};

/** Carries all open runs. The caller holds the lease. */
export async function carryRuns(engine: Engine, options: CarryOptions): Promise<void> {
  const carried = new Map<number, Promise<void>>();
  const failures: unknown[] = [];
  for (const run of readRuns(engine.store, "open")) {
    await ensureRunBranch(engine, run);
    appendEvent(engine.store, engine.now(), { run: run.id }, { kind: "run-carried", pid: process.pid });
  }
  let changed = nextChange(engine, options.signal);
  while (!options.signal.aborted && failures.length === 0) {
    const open = readRuns(engine.store, "open");
    try {
      for (const run of open) await carryRun(engine, run, carried, failures, () => changed.now());
    } catch (error) {
      // Told below, once what runs has been waited for, or parked where a Ctrl-C was the cause.
      failures.push(error);
      break;
    }
    if (isOver(engine, options.until) && carried.size === 0) break;
    await changed.happened(soonest(engine, open));
    changed = nextChange(engine, options.signal);
  }
  if (options.signal.aborted) for (const attempt of readOpenAttempts(engine.store)) interrupt(engine, attempt);
  await Promise.allSettled(carried.values());
  await sweepTrash(engine.repo);
  if (failures.length > 0) throw failures[0];
}

/** One look at one run: obey wishes, skip what cannot run, start what can, carry what is open, end what is over. */
async function carryRun(
  engine: Engine,
  run: Run,
  carried: Map<number, Promise<void>>,
  failures: unknown[],
  wake: () => void,
): Promise<void> {
  obeyWishes(engine, run);
  const tasks = skipUnreachable(engine, run);
  if (run.wish === null) await startReady(engine, run, tasks);
  for (const attempt of readOpenAttempts(engine.store)) {
    if (attempt.run !== run.id || carried.has(attempt.id) || !mayCarry(run, attempt, tasks)) continue;
    const carrying = carryAttempt(engine, attempt.id)
      .catch((error: unknown) => failures.push(error))
      .then(() => {
        carried.delete(attempt.id);
        wake();
      });
    carried.set(attempt.id, carrying);
  }
  await endIfOver(engine, run);
}

/** What a person wrote into the store from elsewhere: cancel a task, stop the run. */
function obeyWishes(engine: Engine, run: Run): void {
  const attempts = readOpenAttempts(engine.store).filter((attempt) => attempt.run === run.id);
  for (const task of readTasks(engine.store, run.id).filter((each) => each.cancelWish)) {
    const attempt = attempts.find((each) => each.task === task.id && each.outcome === null);
    if (attempt) requestStop(engine, attempt, "aborted");
    else if (task.state === "pending")
      moveTask(engine.store, engine.now(), task, "cancelled", {
        reason: "cancelled",
        endedAt: engine.now(),
        cancelWish: false,
      });
  }
  if (run.wish === "stop") for (const attempt of attempts) interrupt(engine, attempt);
}

/** Stops what an attempt does right now; its agent is parked with its conversation. */
function interrupt(engine: Engine, attempt: Attempt): void {
  if (attempt.phase === "agent") requestStop(engine, attempt, "stopped");
  else engine.live.get(attempt.id)?.("stopped");
}

/** A stopped run leaves its attempts as they are, but an ended agent's work is still collected. */
function mayCarry(run: Run, attempt: Attempt, tasks: Task[]): boolean {
  if (attempt.phase === "review")
    return attempt.stop !== null || (tasks.find((task) => task.id === attempt.task)?.approved ?? false);
  return run.wish !== "stop" || ["agent", "collect", "advance", "tidy"].includes(attempt.phase);
}

function skipUnreachable(engine: Engine, run: Run): Task[] {
  for (;;) {
    const tasks = readTasks(engine.store, run.id);
    const skips = findSkips(tasks);
    if (skips.length === 0) return tasks;
    for (const { task, reason } of skips)
      moveTask(engine.store, engine.now(), task, "skipped", { reason, endedAt: engine.now() });
  }
}

async function startReady(engine: Engine, run: Run, tasks: Task[]): Promise<void> {
  const views = viewTasks(tasks, engine.now());
  const ready = views.filter((view) => view.standing === "ready").map((view) => view.task);
  if (ready.length === 0) return;
  const below = pathsBelow(
    tasks.map((task) => ({ id: task.key, needs: task.needs })),
    (id) => weightOf(tasks, id),
  );
  const chosen = decideStarts(
    {
      ready: ready.map((task) => ({
        id: task.key,
        // Work that is already under way is finished before new work is begun.
        priority: task.next.kind === "fresh" ? task.spec.priority : "high",
        pathBelow: below.get(task.key) ?? 0,
        order: task.order,
      })),
      running: tasks.filter((task) => task.state === "running" || task.state === "verifying").length,
    },
    { maxParallel: run.options.maxParallel },
  );
  for (const key of chosen) {
    const task = ready.find((each) => each.key === key)!;
    await startAttempt(
      engine,
      run,
      task,
      task.spec.agent ?? run.options.agent ?? engine.config.agent.default,
      task.spec.model ?? run.options.model,
    );
  }
}

function weightOf(tasks: Task[], key: string): number {
  return tasks.find((task) => task.key === key)?.spec.estimatedTokens ?? 1;
}

async function endIfOver(engine: Engine, run: Run): Promise<void> {
  const tasks = readTasks(engine.store, run.id);
  if (!tasks.every((task) => ["done", "failed", "skipped", "cancelled"].includes(task.state))) return;
  if (readOpenAttempts(engine.store).some((attempt) => attempt.run === run.id)) return;
  await removeIntegrationWorktree(engine, run.id);
  endRun(engine.store, engine.now(), run.id, countFinal(tasks));
}

/** Whether nothing is left to do without a person. */
function isOver(engine: Engine, until: string | undefined): boolean {
  const runs =
    until === undefined ? readRuns(engine.store, "open") : [readRun(engine.store, until)].filter((run) => run !== null);
  return runs.every((run) => isRunSettled(engine, run));
}

/** Ended, or waiting for nothing but a person. */
export function isRunSettled(engine: Engine, run: Run): boolean {
  if (run.state === "ended") return true;
  const busy = readOpenAttempts(engine.store).some((attempt) => attempt.run === run.id && attempt.phase !== "review");
  if (busy && run.wish !== "stop") return false;
  if (run.wish === "stop")
    return !readOpenAttempts(engine.store).some(
      (attempt) => attempt.run === run.id && ["agent", "collect", "advance", "tidy"].includes(attempt.phase),
    );
  const views = viewTasks(readTasks(engine.store, run.id), engine.now());
  if (views.every((view) => ["done", "failed", "skipped", "cancelled"].includes(view.standing))) return false;
  return isSettled(views);
}

/** Milliseconds until a task may be started that waits for a time now; null when none does. */
function soonest(engine: Engine, runs: Run[]): number | null {
  const times = runs
    .flatMap((run) => readTasks(engine.store, run.id))
    .flatMap((task) => (task.state === "pending" && task.notBefore !== null ? [task.notBefore] : []));
  return times.length === 0 ? null : Math.max(0, Math.min(...times) - engine.now());
}

/** The branch a run integrates on. When a person deleted it, it comes back at the last integrated work. */
async function ensureRunBranch(engine: Engine, run: Run): Promise<void> {
  if (await readRef(engine.repo, `refs/heads/${run.branch}`)) return;
  const last = readTasks(engine.store, run.id)
    .filter((task) => task.state === "done" && task.commit)
    .sort((a, b) => (a.endedAt ?? 0) - (b.endedAt ?? 0))
    .at(-1);
  await createBranch(engine.repo, run.branch, last?.commit ?? run.base);
}
