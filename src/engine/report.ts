/** Reads what happened in a run. */
import { type RunReport, reportRun } from "../core/report.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./land.ts";
import { viewRun } from "./view.ts";

/** The report of a run. Throws `unknown-name`. */
export function readReport(engine: Engine, runId: string): RunReport {
  const run = findRun(engine, runId);
  return reportRun(run, viewRun(engine, run), readAttemptsOfRun(engine.store, run.id), engine.now());
}
