/** How long a run may start work: said on the command line, kept in the store. */
import { isTimeOver, type RunTime, timeFrom } from "../core/run-time.ts";
import type { Run } from "../core/run.ts";
import { readRun, setRunOptions } from "../store/runs.ts";
import type { Engine } from "./engine.ts";

/** Gives an open run so many milliseconds from now on; null leaves it as it is. */
export function setTime(engine: Engine, runId: string, limitMs: number | null): void {
  if (limitMs === null) return;
  engine.store.transaction(() => {
    const run = readRun(engine.store, runId);
    if (run) setRunOptions(engine.store, runId, { ...run.options, time: timeFrom(limitMs, engine.now()) });
  });
}

/** The time of a run where it is over; null while there is some left, or no end was set. */
export function timeOverOf(engine: Engine, run: Run): RunTime | null {
  const { time } = run.options;
  return time != null && isTimeOver(time, engine.now()) ? time : null;
}
