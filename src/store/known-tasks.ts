/** The tasks of a run as they were last read. The loop looks at all of them on each turn, and a plan can have thousands; what one turn changes is
 *  a handful. Every writer in this process names the rows it changed, and whatever another process wrote makes us read anew. */
import type { Task } from "../core/task.ts";
import type { Store } from "./database.ts";

type Known = { version: string; runs: Map<string, Map<number, Task>>; changed: Set<number> };

const known = new WeakMap<Store, Known>();

/** The tasks of a run in plan order. `readAll` reads them from the store, `readOne` one that has changed since. */
export function knownTasks(
  store: Store,
  run: string,
  readAll: () => Task[],
  readOne: (id: number) => Task | null,
): Task[] {
  const seen = upToDate(store);
  let tasks = seen.runs.get(run);
  if (!tasks) {
    tasks = new Map(readAll().map((task) => [task.id, task]));
    seen.runs.set(run, tasks);
  }
  for (const id of seen.changed) replace(seen, id, readOne(id));
  seen.changed.clear();
  return [...tasks.values()];
}

/** To be called by whoever changes a row. */
export function noteChanged(store: Store, id: number): void {
  known.get(store)?.changed.add(id);
}

/** To be called by whoever adds rows to a run. */
export function forgetTasks(store: Store, run: string): void {
  known.get(store)?.runs.delete(run);
}

function upToDate(store: Store): Known {
  const version = store.version();
  const before = known.get(store);
  if (before?.version === version) return before;
  const fresh: Known = { version, runs: new Map(), changed: new Set() };
  known.set(store, fresh);
  return fresh;
}

function replace({ runs }: Known, id: number, task: Task | null): void {
  for (const tasks of runs.values()) if (task && tasks.has(id)) tasks.set(id, task);
}
