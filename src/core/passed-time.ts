/** The times of a log as they passed: without what the clock on the wall was set by, or a machine slept, meanwhile. Pure. */
import type { Event } from "./event.ts";

/** From then on (as time passed) the clock on the wall was so far ahead of that. */
type Reading = { from: number; aheadMs: number };

/** `events` are those of a log with their own times, and those until which something waits, as they passed. */
export type PassedTime = {
  events: Event[];
  /** When the clock was set, as time passed, and by how much. */
  jumps: readonly { at: number; ms: number }[];
  /** By how much it was set in all. */
  setMs: number;
  /** What the clock on the wall said at a time. */
  wallAt: (at: number) => number;
};

/** `events` in their order, among them those that tell that the clock was set. */
export function readPassedTime(events: readonly Event[]): PassedTime {
  const jumps: { at: number; ms: number }[] = [];
  const readings: Reading[] = [{ from: -Infinity, aheadMs: 0 }];
  for (const event of events) {
    if (event.kind !== "clock-set") continue;
    const aheadMs = readings.at(-1)!.aheadMs + event.ms;
    readings.push({ from: event.at - aheadMs, aheadMs });
    jumps.push({ at: event.at - aheadMs, ms: event.ms });
  }
  let now = 0;
  const passed = events.map((event): Event => {
    if (event.kind === "clock-set") now++;
    const later = readings.slice(now);
    // What comes between a jump and the look that finds it has the new time already.
    const at = Math.min(event.at - later[0]!.aheadMs, later[1]?.from ?? Infinity);
    return { ...namedTimes(event, (wall) => whenReached(wall, later)), at };
  });
  const wallAt = (at: number) => at + readings.findLast(({ from }) => from <= at)!.aheadMs;
  return { events: passed, jumps, setMs: readings.at(-1)!.aheadMs, wallAt };
}

/** When the clock on the wall came to a time: where it is set ahead over it, at that moment. */
function whenReached(wall: number, readings: readonly Reading[]): number {
  const came = readings.map(({ from, aheadMs }) => Math.max(from, wall - aheadMs));
  return came.find((at, index) => at < (readings[index + 1]?.from ?? Infinity)) ?? Infinity;
}

function namedTimes(event: Event, passed: (wall: number) => number): Event {
  switch (event.kind) {
    case "task-moved":
      return event.notBefore == null ? event : { ...event, notBefore: passed(event.notBefore) };
    case "task-parked":
      return event.notBefore === null ? event : { ...event, notBefore: passed(event.notBefore) };
    case "run-limited":
      return {
        ...event,
        limits: event.limits.map((limit) => ({ ...limit, until: limit.until === null ? null : passed(limit.until) })),
      };
    default:
      return event;
  }
}
