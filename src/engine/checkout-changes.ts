/** What changed in the user's checkout while agents of a run were at work. Nothing of ours writes there, so it was the user or an agent: which of them,
 *  nobody can tell from a file. */
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import type { CheckoutChange } from "../core/report.ts";
import { findPlace } from "../git/place.ts";
import { readStatus } from "../git/status.ts";
import { readAttemptsOfRun } from "../store/attempts.ts";
import { readAgentEnds } from "../store/events.ts";
import { readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { lstatIfThere } from "../system/files.ts";
import { findRun } from "./find-run.ts";

/** The files that differ now from the checkout's last commit, and were last changed while tasks of the run had an agent at work. None where git cannot
 *  read the checkout. Throws `unknown-name`. */
export async function readCheckoutChanges(engine: Engine, runId: string): Promise<CheckoutChange[]> {
  const run = findRun(engine, runId);
  const { root } = engine.repo;
  const place = findPlace(engine.repo, root);
  const status = place === null ? null : await readStatus(place).catch(() => null);
  if (status === null) return [];
  const attempts = readAttemptsOfRun(engine.store, run.id);
  const ends = readAgentEnds(engine.store, run.id);
  const keys = new Map(readTasks(engine.store, run.id).map(({ id, key }) => [id, key]));
  const wasAtWork = ({ id, startedAt, endedAt }: Attempt, at: number) =>
    startedAt <= at && at <= (ends.get(id) ?? endedAt ?? engine.now());
  const paths = [...status.changes.map(({ path }) => path), ...status.unmerged.map(({ path }) => path)];
  return [...paths, ...status.untracked].flatMap((path) => {
    const at = changedAt(join(root, path));
    const meanwhile = at === null ? [] : attempts.filter((attempt) => wasAtWork(attempt, at));
    if (at === null || meanwhile.length === 0) return [];
    const tasks = [...new Set(meanwhile.map(({ task }) => keys.get(task)!))];
    return [{ path, at: new Date(at).toISOString(), tasks }];
  });
}

/** That of the entry, which no program sets, as it could that of the content; null where the file is gone. */
function changedAt(path: string): number | null {
  return lstatIfThere(path)?.ctimeMs ?? null;
}
