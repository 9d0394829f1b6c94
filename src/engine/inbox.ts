/** What waits for a person, over all runs. */
import { startCommand } from "../core/firing.ts";
import type { Answer, TaskView } from "../core/view.ts";
import { readLastEvents } from "../store/events.ts";
import { readRefused } from "../store/firings.ts";
import { readRuns } from "../store/runs.ts";
import { readFailedTasks } from "../store/tasks.ts";
import { readSchedule } from "../system/schedule-files.ts";
import { type NearLevel, readNearLevels } from "./budget.ts";
import type { Engine } from "./engine.ts";
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
    waitingIn(viewRun(engine, run), ids).map(({ view, more }) => {
      const [last] = readLastEvents(engine.store, view.task.id, 1);
      return { run: run.id, view, since: last?.at ?? run.createdAt, more };
    }),
  );
  return waiting.toSorted((a, b) => a.since - b.since);
}

/** Limits that are nearly used up while work goes on, and those of a day that are, oldest first: not to answer lets it go on to the limit, or the next day. */
export function readNearBudgets(engine: Engine): NearLevel[] {
  const near = readRuns(engine.store, "open").flatMap((run) => readNearLevels(engine, run));
  return near.toSorted((a, b) => a.since - b.since);
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
      command: startCommand(batch),
      note: `starts it now${hint === null ? "" : `; first, ${hint}`}`,
    }));
}

/** Null where the schedule cannot be read. */
function scheduledNames({ repo, env }: Engine): ReadonlySet<string> | null {
  try {
    return new Set(readSchedule(repo.here, env).batches.map(({ name }) => name));
  } catch {
    return null;
  }
}

/** A budget that holds back many tasks is one thing; that of a task is its own. */
function waitingIn(views: TaskView[], failed: ReadonlySet<number>): { view: TaskView; more: number }[] {
  const forBudget = views.filter((view) => view.standing === "waits-for-budget");
  const isParked = ({ task }: TaskView) => task.park?.for === "budget";
  const isOwn = ({ task: { park } }: TaskView) => park?.for === "budget" && park.scope === "task";
  const shared = forBudget.filter((view) => !isOwn(view));
  const first = shared.find(isParked) ?? (forBudget.some(isOwn) ? undefined : shared[0]);
  // So is a branch that is red by itself.
  const forTip = views.filter(({ task, standing }) => task.state === "integrating" && standing === "waits-for-person");
  const isTold = (view: TaskView) =>
    view === forTip[0] ||
    (view.standing === "waits-for-person" && !forTip.includes(view)) ||
    failed.has(view.task.id) ||
    isOwn(view) ||
    view === first;
  const moreOf = (view: TaskView) => (view === first ? shared.length - 1 : view === forTip[0] ? forTip.length - 1 : 0);
  return views.filter(isTold).map((view) => ({ view, more: moreOf(view) }));
}
