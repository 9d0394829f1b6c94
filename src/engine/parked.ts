/** An agent that was stopped while nothing could be written: the store does not say so, an empty file in its folder does. */
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import type { Attempt } from "../core/attempt.ts";
import { attemptDir, type Engine } from "./engine.ts";

/** Says that we are about to stop it. A name takes no room, or so little that there mostly is some. */
export function markParked(engine: Engine, attempt: Attempt): void {
  if (attempt.phase !== "agent" || attempt.stop !== null) return;
  try {
    closeSync(openSync(fileOf(engine, attempt), "w"));
  } catch (error) {
    // Then it counts as one that died.
    if (!(error instanceof Error)) throw error;
  }
}

/** Whether it was stopped so. */
export function wasParked(engine: Engine, attempt: Attempt): boolean {
  return existsSync(fileOf(engine, attempt));
}

function fileOf(engine: Engine, { id }: Attempt): string {
  return join(attemptDir(engine, id), "parked");
}
