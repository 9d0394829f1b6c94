/** Reads what happened in a run. */
import { type RunReport, type RunSums, reportRun, sumUp } from "../core/report.ts";
import type { Run } from "../core/run.ts";
import type { BareTask } from "../core/task.ts";
import type { TaskView } from "../core/view.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import { readReviewTimes } from "../store/events.ts";
import { readLevels } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./find-run.ts";
import { viewRun } from "./view.ts";

/** The report of a run. Throws `unknown-name`. */
export function readReport(engine: Engine, runId: string): RunReport {
  const run = findRun(engine, runId);
  const attempts = readAttemptsOfRun(engine.store, run.id);
  const now = engine.now();
  return reportRun(
    run,
    viewRun(engine, run),
    attempts,
    now,
    readLevels(engine, run),
    readReviewTimes(engine.store, run.id, now),
  );
}

/** The figures of a run of which these are the views. */
export function readSums(engine: Engine, run: Run, views: readonly TaskView<BareTask>[]): RunSums {
  return sumUp(views, readAttemptsOfRun(engine.store, run.id), readLevels(engine, run));
}
