/** What waits for a person, over all runs. */
import type { Astray } from "../core/astray.ts";
import { findApproval, startCommand } from "../core/firing.ts";
import type { Run } from "../core/run.ts";
import type { TaskView } from "../core/view.ts";
import type { Answer } from "../core/task-answer.ts";
import { readWaitsSince } from "../store/events.ts";
import { readAstray } from "../store/astray.ts";
import { readAstraySince, readHeldSince } from "../store/run-words.ts";
import { readRefused } from "../store/firings.ts";
import { readRuns } from "../store/runs.ts";
import { readFailedTasks } from "../store/tasks.ts";
import { readSchedule } from "../system/schedule-files.ts";
import { budgetCommand, type NearLevel, readNearLevels } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { waitsForCheckout } from "./held-checkout.ts";
import { viewRun } from "./view.ts";

/** `since` is in epoch milliseconds: when something last happened to it. `more`: how many other tasks the same budget holds. */
export type Waiting = { run: string; view: TaskView; since: number; more: number };

/** Everything that a person can do something about, oldest first. What failed counts until it is retried, taken up by a later run, or
 *  cancelled. */
export function readInbox(engine: Engine): Waiting[] {
  const failed = readFailedTasks(engine.store);
  const ids = new Set(failed.map((task) => task.id));
  const inRuns = new Set(failed.map((task) => task.run));
  const runs = readRuns(engine.store).filter((run) => run.state === "open" || inRuns.has(run.id));
  const waiting = runs.flatMap((run) =>
    waitingIn(engine, viewRun(engine, run), ids).map(({ view, more }) => {
      return { run: run.id, view, since: sinceOf(engine, view, run), more };
    }),
  );
  return waiting.toSorted((a, b) => a.since - b.since);
}

/** What happened to it since (a process took its run up, its worktree was tidied) does not let it wait for less. */
function sinceOf({ store }: Engine, { task, standing }: TaskView, run: Run): number {
  const isHeld = standing === "waits-for-budget" && task.park?.for !== "budget";
  return (isHeld ? readHeldSince(store, run.id) : readWaitsSince(store, task.id)) ?? run.createdAt;
}

/** Limits that are nearly used up while work goes on, and those of a day that are, oldest first: not to answer lets it go on to the limit, or the next day. */
export function readNearBudgets(engine: Engine): NearLevel[] {
  const near = readRuns(engine.store, "open").flatMap((run) => readNearLevels(engine, run));
  return near.toSorted((a, b) => a.since - b.since);
}

/** A run whose branch is not where its work is; `since` is in epoch milliseconds. */
export type AstrayRun = { run: string; since: number } & Astray;

/** Open runs whose branches are astray, oldest first, also where nothing of them waits for that yet. */
export function readAstrayRuns({ store }: Engine): AstrayRun[] {
  const runs = readRuns(store, "open").flatMap(({ id }) => {
    const astray = readAstray(store, id);
    return astray === null ? [] : [{ run: id, since: readAstraySince(store, id) ?? 0, ...astray }];
  });
  return runs.toSorted((a, b) => a.since - b.since);
}

/** A batch whose last slot could not start; `since` is in epoch milliseconds. */
export type RefusedBatch = { batch: string; why: string; since: number } & Answer;

/** Batches that could not begin when it was their time, oldest first; none that has left the schedule. */
export function readRefusedBatches(engine: Engine): RefusedBatch[] {
  const refused = readRefused(engine.store);
  if (refused.length === 0) return [];
  const known = scheduledNames(engine);
  return refused
    .filter(({ batch }) => known === null || known.has(batch))
    .map(({ batch, reason, hint, at }) => ({
      batch,
      why: `could not start: ${reason}`,
      since: at,
      ...startAgain(batch, hint),
    }));
}

/** What is to be approved first is asked by the line itself. */
function startAgain(batch: string, hint: string | null): Answer {
  const approve = findApproval(hint);
  if (approve !== null)
    return { command: `${approve} && ${startCommand(batch)}`, note: "shows what is to be approved, and starts it" };
  return { command: startCommand(batch), note: `starts it now${hint === null ? "" : `; first, ${hint}`}` };
}

/** Null where the schedule cannot be read. */
function scheduledNames({ repo, env }: Engine): ReadonlySet<string> | null {
  try {
    return new Set(readSchedule(repo.here, env).batches.map(({ name }) => name));
  } catch {
    return null;
  }
}

/** A budget that holds back many tasks is one thing. Those of tasks are one each, but where one command raises them all. */
function waitingIn(engine: Engine, views: TaskView[], failed: ReadonlySet<number>): { view: TaskView; more: number }[] {
  const forBudget = views.filter((view) => view.standing === "waits-for-budget");
  const isParked = ({ task }: TaskView) => task.park?.for === "budget";
  const isOwn = ({ task: { park } }: TaskView) => park?.for === "budget" && park.scope === "task";
  const own = [...Map.groupBy(forBudget.filter(isOwn), ({ task }) => budgetCommand(engine, task)).values()];
  const shared = forBudget.filter((view) => !isOwn(view));
  const first = shared.find(isParked) ?? (own.length > 0 ? undefined : shared[0]);
  // So is a branch that is red by itself; one that is astray is told of the run.
  const withRun = views.filter((view) => view.withRun === "red");
  // So is a checkout of it that somebody changed.
  const forCheckout = views.filter(({ task }) => waitsForCheckout(task));
  // Of each group one is told, with the number of the others.
  const groups = [...own, withRun, forCheckout].filter((group) => group.length > 0);
  const told = new Map(groups.map((group) => [group[0], group.length - 1]));
  if (first !== undefined) told.set(first, shared.length - 1);
  const waits = (view: TaskView) =>
    view.standing === "waits-for-person" && view.withRun === undefined && !forCheckout.includes(view);
  const isTold = (view: TaskView) => waits(view) || failed.has(view.task.id) || told.has(view);
  return views.filter(isTold).map((view) => ({ view, more: told.get(view) ?? 0 }));
}
