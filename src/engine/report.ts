/** Reads what happened in a run. */
import { type RunReport, reportRun } from "../core/report.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import { readTasks } from "../store/tasks.ts";
import { readLevels, viewRun } from "./budget.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./land.ts";

/** The report of a run. Throws `unknown-name`. */
export function readReport(engine: Engine, runId: string): RunReport {
  const run = findRun(engine, runId);
  const tasks = readTasks(engine.store, run.id);
  const spent = { views: viewRun(engine, run, tasks), levels: readLevels(engine, run) };
  return reportRun(run, tasks, readAttemptsOfRun(engine.store, run.id), engine.now(), spent);
}
