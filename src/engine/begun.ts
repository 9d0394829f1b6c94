/** What is written into an attempt's folder when it begins, and again when its agent is started: since when it works by a clock that nobody sets, and as much of the
 *  attempt as a store that was restored from an older backup lacks. */
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import type { NextStart } from "../core/task.ts";
import { readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { elapsedSince, type Moment, momentNow } from "../system/monotonic.ts";
import type { Carried } from "./attempt-moves.ts";
import { attemptDir, type Engine } from "./engine.ts";

/** `key`, `hash` and `next` are the task's: what was worked on, and with which words the turn began. */
export type Begun = { at: Moment; key: string; hash: string; next: NextStart; attempt: Attempt };

/** Written before the worktree is made, and before the agent is launched. A power cut may take it, and the agent with it. */
export function noteBegun(engine: Engine, { task, attempt }: Carried): void {
  const begun: Begun = { at: momentNow(), key: task.key, hash: task.hash, next: task.next, attempt };
  writeFileAtomically(fileOf(engine, attempt.id), JSON.stringify(begun));
}

/** Null where nothing was begun, or by an owt that did not write it down yet. */
export function readBegun(engine: Engine, attempt: number): Begun | null {
  const text = readTextIfThere(fileOf(engine, attempt));
  try {
    return text === null ? null : (JSON.parse(text) as Begun);
  } catch {
    return null;
  }
}

/** For how long the agent of an attempt has worked, in milliseconds. The clock on the wall is asked only where nothing better is known. */
export function workedFor(engine: Engine, attempt: Attempt): number {
  const begun = readBegun(engine, attempt.id);
  const elapsed = begun === null ? null : elapsedSince(begun.at);
  return elapsed ?? (begun === null ? Math.max(0, engine.now() - attempt.startedAt) : 0);
}

function fileOf(engine: Engine, attempt: number): string {
  return join(attemptDir(engine, attempt), "begun");
}
