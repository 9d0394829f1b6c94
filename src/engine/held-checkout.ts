/** Work that waits for a checkout of the run's branch, which somebody has and changed: it goes on by itself once that is free to move on. */
import { existsSync } from "node:fs";
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { checkedOutWhere } from "../git/branch.ts";
import { findObstacles } from "../git/obstacles.ts";
import { findOverlooked } from "../git/overlooked.ts";
import { findPlace, indexLock, inProgress, readHead } from "../git/place.ts";
import { readStatus } from "../git/status.ts";
import { MapPer } from "../lib/map-per.ts";
import { readAttempt } from "../store/attempts.ts";
import { appendEvent } from "../store/events.ts";
import { changeTask } from "../store/tasks.ts";
import type { Engine } from "./engine.ts";

/** Whether a task waits for a checkout. */
export function waitsForCheckout({ state, park }: Pick<Task, "state" | "park">): boolean {
  return state === "pending" && park?.for === "git" && park.checkout !== undefined;
}

const lookedAt = new MapPer<Engine, string, number>();
/** A look costs a process or two. */
const LOOK_MS = 1_000;

/** Lets those tasks go on whose checkout is free. True where there was one. */
export async function freeHeld(engine: Engine, run: Run, tasks: readonly Task[]): Promise<boolean> {
  const held = tasks.filter(waitsForCheckout);
  if (held.length === 0) return false;
  const times = lookedAt.of(engine);
  if (performance.now() - (times.get(run.id) ?? -Infinity) < LOOK_MS) return false;
  times.set(run.id, performance.now());
  let freed = false;
  for (const task of held) {
    if (!(await isFree(engine, run, task))) continue;
    engine.store.transaction(() => {
      changeTask(engine.store, task.id, { park: null });
      appendEvent(engine.store, engine.now(), { run: run.id, task: task.id }, { kind: "task-next", next: task.next });
    });
    freed = true;
  }
  return freed;
}

/** Whether nothing is in the way there any more of what is to come in. */
async function isFree({ repo, store }: Engine, run: Run, { next }: Task): Promise<boolean> {
  const path = await checkedOutWhere(repo, run.branch);
  const place = path === null ? null : findPlace(repo, path);
  if (place === null) return true;
  if (inProgress(place) !== null || existsSync(indexLock(place))) return false;
  const { changes, unmerged } = await readStatus(place);
  if (changes.length + unmerged.length > 0) return false;
  const candidate = next.kind === "fresh" ? null : (readAttempt(store, next.from)?.candidate ?? null);
  const { oid } = await readHead(repo, place);
  if (candidate === null || oid === null) return true;
  if ((await findObstacles(place, oid, candidate)).length > 0) return false;
  return (await findOverlooked(repo, place, oid, candidate)).length === 0;
}
