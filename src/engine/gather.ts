/** Waits a moment for tasks that are about to join those which wait to be integrated: what comes just behind the beginning of a check would wait for all
 *  of it, and need another one. */
import { setTimeout as sleep } from "node:timers/promises";
import { MapPer } from "../lib/map-per.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import type { Engine } from "./engine.ts";
import type { Waiter } from "./merge-queue.ts";

/** The part of a check's time that is spent on waiting for more, and the longest that this is. */
const PART = 0.05;
const LONGEST_MS = 2_000;

const took = new MapPer<Engine, string, number>();

/** Remembers how long the checks of a run take, in milliseconds. */
export function noteCheckTime(engine: Engine, run: string, ms: number): void {
  const runs = took.of(engine);
  runs.set(run, ms);
}

/** Resolves after a small part of the time that a check takes, at once where nobody can come or one of the waiters is stopped. */
export async function awaitMore(engine: Engine, run: string, waiters: readonly Waiter[]): Promise<void> {
  const ms = Math.min(LONGEST_MS, PART * (took.of(engine).get(run) ?? 0));
  if (ms < 1 || !isAnyNear(engine, run)) return;
  const ended = new AbortController();
  for (const waiter of waiters) waiter.halt = () => ended.abort();
  await sleep(ms, undefined, { signal: ended.signal }).catch(() => {});
  for (const waiter of waiters) waiter.halt = null;
}

/** Whether the agent of any task has ended whose work is not home. */
function isAnyNear(engine: Engine, run: string): boolean {
  return readOpenAttempts(engine.store).some(
    (attempt) => attempt.run === run && (attempt.phase === "collect" || attempt.phase === "verify"),
  );
}
