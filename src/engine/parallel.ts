/** How many agents work at a time on a run that is open. */
import { appendEvent } from "../store/events.ts";
import { setRunOptions } from "../store/runs.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./find-run.ts";

/** Changes it for what starts from now on; whoever carries the run looks again at once. Agents that are at work go on to their end. Returns how
 *  many it were before. */
export function setParallel(engine: Engine, runId: string, maxParallel: number): number {
  return engine.store.transaction(() => {
    const run = findRun(engine, runId);
    const before = run.options.maxParallel;
    if (before === maxParallel) return before;
    setRunOptions(engine.store, runId, { ...run.options, maxParallel });
    noteParallel(engine, runId, before, maxParallel);
    return before;
  });
}

/** Tells every screen of it. */
export function noteParallel(engine: Engine, run: string, before: number, now: number): void {
  if (before === now) return;
  const text = `${now === 1 ? "one agent" : `up to ${now} agents`} at a time from now on (before: ${before})`;
  appendEvent(engine.store, engine.now(), { run }, { kind: "note", text });
}
