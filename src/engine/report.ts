/** Reads what happened in a run. */
import { type RunReport, reportRun } from "../core/report.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import { readReviewTimes } from "../store/events.ts";
import { readLevels } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./land.ts";
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
