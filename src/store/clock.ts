/** How the clock on the wall stood against the one that nobody sets, when somebody last looked. */
import type { Store } from "./database.ts";
import { readMeta, writeMeta } from "./meta.ts";

/** By how much the wall was ahead, in milliseconds, since the start of the machine that has this id. */
export type ClockReading = { bootId: string; aheadMs: number };

/** Null where nobody has looked yet. */
export function readClock(store: Store): ClockReading | null {
  return readMeta<ClockReading>(store, "clock");
}

export function recordClock(store: Store, reading: ClockReading): void {
  writeMeta(store, "clock", reading);
}
