/** Reads what happened in a run. */
import { type HistoryReport, reportHistory } from "../core/history.ts";
import { type RunReport, type RunSums, reportRun, sumUp } from "../core/report.ts";
import type { Run } from "../core/run.ts";
import { readSteps } from "../core/steps.ts";
import type { BareTask } from "../core/task.ts";
import type { TaskView } from "../core/view.ts";
import { readWaiting, type Waiting } from "../core/waiting.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import { readCheckTimes, readReviewTimes, readStepEvents, readWaitingEvents } from "../store/events.ts";
import { readFlakes, readLost, readSettled } from "../store/run-words.ts";
import { readTried } from "../store/history.ts";
import { readLevels } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./find-run.ts";
import { isCarried as carrierOf } from "./holder.ts";
import { agentFor, viewRun } from "./view.ts";

/** The report of a run. `isTakenOut`: it was landed, and its target holds it no more. Throws `unknown-name`. */
export function readReport(engine: Engine, runId: string, { isTakenOut = false } = {}): RunReport {
  const run = findRun(engine, runId);
  const attempts = readAttemptsOfRun(engine.store, run.id);
  const now = engine.now();
  const views = viewRun(engine, run);
  return reportRun(run, views, attempts, now, {
    levels: readLevels(engine, run),
    reviews: readReviewTimes(engine.store, run.id, now),
    checks: readCheckTimes(engine.store, run.id, now),
    waiting: waitingOf(engine, run, views, now),
    steps: readSteps(readStepEvents(engine.store, run.id), now, { isLeft: run.endedAt === null && !carrierOf(engine) }),
    flaky: readFlakes(engine.store, run.id),
    lost: readLost(engine.store, run.id),
    settled: readSettled(engine.store, run.id),
    isTakenOut,
  });
}

function waitingOf(engine: Engine, run: Run, views: readonly TaskView[], now: number): Waiting {
  const tasks = new Map(views.map(({ task }) => [task.id, task]));
  const agentOf = ({ id }: { id: number }) => agentFor(engine, run, tasks.get(id)!);
  const { createdAt, endedAt } = run;
  const isCarried = endedAt === null && carrierOf(engine) !== null;
  return readWaiting(
    { createdAt, endedAt, isCarried, agentOf },
    [...tasks.values()],
    readWaitingEvents(engine.store, run.id),
    now,
  );
}

/** What came of all that was tried in this repository. */
export function readAllHistory(engine: Engine): HistoryReport {
  return reportHistory(readTried(engine.store), dayOf);
}

/** The day in local time, as people count them. */
function dayOf(at: number): string {
  const day = new Date(at);
  const two = (value: number) => String(value).padStart(2, "0");
  return `${day.getFullYear()}-${two(day.getMonth() + 1)}-${two(day.getDate())}`;
}

/** The figures of a run of which these are the views. */
export function readSums(engine: Engine, run: Run, views: readonly TaskView<BareTask>[]): RunSums {
  return sumUp(views, readAttemptsOfRun(engine.store, run.id), readLevels(engine, run));
}
