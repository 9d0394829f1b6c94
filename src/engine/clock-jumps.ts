/** The clock on the wall is set, or the machine sleeps, while runs are open: by how much it jumped is no work of anybody's. What tells is the clock that nobody sets,
 *  which the last look is compared with, whoever took it. */
import type { Attempt } from "../core/attempt.ts";
import { addDeadTime, readOpenAttempts } from "../store/attempts.ts";
import { type ClockReading, readClock, recordClock } from "../store/clock.ts";
import { appendEvent } from "../store/events.ts";
import { readRuns } from "../store/runs.ts";
import { momentNow } from "../system/monotonic.ts";
import type { Engine } from "./engine.ts";

/** What is less is the drift of a clock, which adds up until it is more. */
const JUMP_MS = 1_000;

/** Phases whose time is told apart from work, by the clock on the wall: what it jumped goes with that. */
const WAITS = new Set<Attempt["phase"]>(["contest", "review", "merge"]);

/** Writes a jump since the last look down, and takes it off what open attempts worked. Gives it in milliseconds, 0 for none. */
export function bookClockJump(engine: Engine): number {
  const { store } = engine;
  const at = engine.now();
  const { bootId, ms } = momentNow();
  const now: ClockReading = { bootId, aheadMs: at - ms };
  const before = readClock(store);
  const jump = before?.bootId === bootId ? now.aheadMs - before.aheadMs : 0;
  if (before?.bootId === bootId && Math.abs(jump) < JUMP_MS) return 0;
  store.transaction(() => {
    recordClock(store, now);
    if (jump === 0) return;
    for (const attempt of readOpenAttempts(store))
      if (attempt.outcome === null && !WAITS.has(attempt.phase)) addDeadTime(store, attempt.id, jump);
    for (const { id: run } of readRuns(store, "open")) appendEvent(store, at, { run }, { kind: "clock-set", ms: jump });
  });
  return jump;
}
