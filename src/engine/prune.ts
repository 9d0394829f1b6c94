/** Attempt folders (prompt, output, checks) are kept for a month and then deleted; the store keeps what happened. */
import { rmSync } from "node:fs";
import { readAttemptsEndedBefore } from "../store/attempts.ts";
import { pruneLogs } from "./background.ts";
import { attemptDir, type Engine } from "./engine.ts";

const KEPT_MS = 30 * 86_400_000;

export function pruneAttempts(engine: Engine): void {
  for (const id of readAttemptsEndedBefore(engine.store, engine.now() - KEPT_MS)) {
    rmSync(attemptDir(engine, id), { recursive: true, force: true });
  }
  pruneLogs(engine, engine.now() - KEPT_MS);
}
