/** What is written into an attempt's folder when it begins, and again when its agent is started: since when it works by a clock that nobody sets, and as much of the
 *  attempt as a store that was restored from an older backup lacks. */
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import type { NextStart } from "../core/task.ts";
import type { Worked } from "../store/catch-up.ts";
import { readTextIfThere, writeFileAtomically } from "../system/files.ts";
import { readLaunch } from "../system/launch.ts";
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

/** Since when, and for how long, the agent of an attempt had worked, as the times of its files say: from its start to its exit, or to its last word. Null where none was
 *  started. */
export function workedAsWritten(engine: Pick<Engine, "repo" | "now">, attempt: number): Worked | null {
  const dir = attemptDir(engine, attempt);
  const launch = readLaunch(dir);
  const began = timeOf(fileOf(engine, attempt));
  if (launch.kind === "unclaimed" || began === null) return null;
  const ended =
    launch.kind === "alive" ? engine.now() : (timeOf(join(dir, "exit")) ?? timeOf(join(dir, "out")) ?? began);
  return { began, workedMs: Math.max(0, Math.round(ended - began)) };
}

function timeOf(file: string): number | null {
  const ms = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
  return ms === undefined ? null : Math.round(ms);
}

function fileOf(engine: Pick<Engine, "repo">, attempt: number): string {
  return join(attemptDir(engine, attempt), "begun");
}
