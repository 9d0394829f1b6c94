/** Lets a conflict wait for another one in the same file that is being resolved ({@link findResolver}). */
import { findResolver, stillBehind } from "../core/resolving.ts";
import type { Run } from "../core/run.ts";
import type { Task } from "../core/task.ts";
import { readBehind, writeBehind } from "../store/resolving.ts";
import { readTasks } from "../store/tasks.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";

/** True where it waits from now on: its merge is made again once the other one is in, or has come to nothing. */
export function waitForResolver(engine: Engine, { run, task }: Carried, files: readonly string[]): boolean {
  const waiting = readBehind(engine.store, run.id);
  const found = findResolver(task.id, files, readTasks(engine.store, run.id), waiting);
  if (found === null) return false;
  writeBehind(engine.store, engine.now(), run.id, [...waiting.filter((each) => each.task !== task.id), found]);
  return true;
}

/** Lets go on who waits for nobody any more. */
export function letGoOn(engine: Engine, run: Run, tasks: readonly Task[]): void {
  const waiting = readBehind(engine.store, run.id);
  if (waiting.length === 0) return;
  const left = stillBehind(waiting, tasks);
  if (left.length < waiting.length) writeBehind(engine.store, engine.now(), run.id, left);
}
