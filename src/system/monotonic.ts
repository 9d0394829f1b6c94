/** A clock that nobody sets and that stands still while the machine sleeps, the same for all processes since it was started: how long something
 *  took is told by it, also where one process began it and another asks. (CLOCK_MONOTONIC on Linux.) */
import { uptime } from "node:os";
import { readBootId } from "./identity.ts";

/** A moment of this machine, since it was started; after a restart it says nothing. */
export type Moment = { bootId: string; ms: number };

export function momentNow(): Moment {
  return { bootId: readBootId(), ms: Math.round(Number(process.hrtime.bigint() / 1_000_000n)) };
}

/** Milliseconds since then, without those in which the machine slept; null where it was restarted in between. */
export function elapsedSince(then: Moment): number | null {
  const now = momentNow();
  return now.bootId === then.bootId && now.ms >= then.ms ? now.ms - then.ms : null;
}

/** When this machine was started, by the clock on its wall (epoch ms): what a file system dates before that nothing has touched since. */
export function bootedAt(): number {
  return Date.now() - uptime() * 1_000;
}
