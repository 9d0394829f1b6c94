/** Which task of which run is meant by what a person typed. */
import { OwtError } from "../core/errors.ts";
import { nearestHint } from "../core/names.ts";
import { planKeyOf } from "../core/rival.ts";
import type { Task } from "../core/task.ts";
import { readBacklog } from "../store/backlog.ts";
import { readRuns } from "../store/runs.ts";
import { findRivals, findTasks, readTasks } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";
import { findRun } from "./find-run.ts";

/** Which task a key means, where several runs have one of it. */
export type Pick = {
  run?: string | undefined;
  /** Preferred when no run is named: what the caller can do something with. */ fits?: (task: Task) => boolean;
};

/** The task with this key: of the run named, else the newest that fits, else the newest. Throws `unknown-name` with the nearest keys. */
export function findTask(engine: Engine, key: string, pick: Pick = {}): Task {
  const all = findTasks(engine.store, key).filter((task) => pick.run === undefined || task.run === pick.run);
  const rivals = rivalsFor(engine, key, pick.run);
  if (rivals.length > 0) return oneOf(rivals, pick);
  const found = all.find((task) => pick.fits?.(task)) ?? all[0] ?? findTaskLoosely(engine, key, pick.run);
  if (found) return found;
  const known = new Set(
    readRuns(engine.store).flatMap((run) => readTasks(engine.store, run.id).map((task) => task.key)),
  );
  if (pick.run === undefined && readBacklog(engine.store).some((task) => task.id === key)) {
    throw new OwtError("wrong-state", `${key} is written down, but no run has taken it up yet`, {
      hint: `start it: owt run ${key}`,
    });
  }
  if (pick.run !== undefined) findRun(engine, pick.run);
  const where = pick.run === undefined ? "no run has" : `${pick.run} has not`;
  throw new OwtError("unknown-name", `${where} a task named ${key}`, { hint: taskHint(engine, key, known) });
}

/** A run may have been named where a task is wanted. */
function taskHint(engine: Engine, key: string, known: Iterable<string>): string {
  const runs = readRuns(engine.store).map((run) => run.id);
  if (runs.includes(key)) return `it is a run: owt status ${key}; what its agents said: owt logs --all --run ${key}`;
  return nearestHint(key, [...known, ...runs], "list them with: owt task list");
}

/** The rivals for a task of which none has won, where its id means them: no task of this key is newer. */
export function rivalsFor(engine: Engine, id: string, run?: string): Task[] {
  const all = findRivals(engine.store, id).filter((task) => run === undefined || task.run === run);
  const newest = all.at(-1);
  if (newest === undefined) return [];
  const isOlder = findTasks(engine.store, id).some(
    (task) => (run === undefined || task.run === run) && task.id > newest.id,
  );
  return isOlder ? [] : all.filter((task) => task.run === newest.run);
}

function oneOf(rivals: readonly Task[], { fits = () => true }: Pick): Task {
  const fitting = rivals.filter(fits);
  if (fitting.length === 1) return fitting[0]!;
  const keys = (fitting.length === 0 ? rivals : fitting).map(({ key }) => key);
  throw new OwtError("wrong-state", `${planKeyOf(rivals[0]!)} is done by ${rivals.length} rivals: which of them?`, {
    hint: `name one: ${keys.join(", ")}`,
  });
}

function findTaskLoosely(engine: Engine, key: string, run: string | undefined): Task | undefined {
  const tasks = readRuns(engine.store)
    .toReversed()
    .flatMap((run) => readTasks(engine.store, run.id));
  return tasks.find((task) => task.key.toLowerCase() === key.toLowerCase() && (run === undefined || task.run === run));
}
