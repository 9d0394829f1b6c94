/** Who goes on with a run by hand may know that a limit is over, or that the network is back: what its tasks wait for is tried at once, once. */
import { holds, limitedName, mayTry, tryEarly, type UsageLimit } from "../core/limit.ts";
import type { Task } from "../core/task.ts";
import { readLimits, writeLimit } from "../store/limits.ts";
import { changeTask, readTasks } from "../store/tasks.ts";
import { credentialOf } from "./credentials.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./find-run.ts";
import { heldBy, probeOf } from "./governor.ts";
import { nextAgent, nextModel, viewRun } from "./view.ts";

/** Has the limits and outages tried at once that keep tasks of a run back, and are not being tried; gives what is tried, for people. Where it is in vain, the wait
 *  goes on as it was. */
export function tryAtOnce(engine: Engine, runId: string): string[] {
  return engine.store.transaction(() => {
    const closed = readLimits(engine.store).filter(
      (limit) => !mayTry(limit, engine.now()) && probeOf(engine, limit) === null,
    );
    if (closed.length === 0) return [];
    const pending = readTasks(engine.store, runId).filter(({ state }) => state === "pending");
    const tried = closed.filter((limit) => pending.some((task) => keepsBack(engine, limit, task)));
    for (const limit of tried) {
      writeLimit(engine.store, tryEarly(limit, engine.now()));
      for (const { id, run } of heldBy(engine, limit))
        if (run === runId) changeTask(engine.store, id, { notBefore: engine.now() });
    }
    return tried.map(describeTry);
  });
}

/** The limits and outages that keep back a task which has met none of them; none where something else does. */
export function heldFresh(engine: Engine, task: Task): UsageLimit[] {
  if (task.state !== "pending" || task.park !== null) return [];
  const limits = readLimits(engine.store).filter((limit) => keepsBack(engine, limit, task));
  if (limits.length === 0) return [];
  const view = viewRun(engine, findRun(engine, task.run)).find((each) => each.task.id === task.id);
  return view?.standing === "waits-for-time" ? limits : [];
}

function keepsBack(engine: Engine, limit: UsageLimit, task: Task): boolean {
  if (task.next.kind === "by-hand") return false;
  const run = findRun(engine, task.run);
  const { agent } = nextAgent(engine, run, task);
  return holds(limit, credentialOf(engine, agent), nextModel(engine, run, task, agent));
}

function describeTry(limit: UsageLimit): string {
  if (limit.outage !== undefined) return `whether the API of ${limit.agent} can be reached`;
  return `whether the usage limit of ${limitedName(limit)} is over`;
}
