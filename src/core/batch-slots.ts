/** Which slot of a batch is due, and which were missed. A slot is a moment that its cron expression names. Pure: the clock is passed in, and may jump. */
import type { CronTimes } from "../lib/cron.ts";
import type { MissedPolicy } from "./batch.ts";

/** Up to so late a slot is on time: a watcher that is being started again, or a machine that wakes up, must not lose it. */
export const ON_TIME_MS = 5 * 60_000;

/** So many missed slots are written down at most, the newest ones. */
const MOST_MISSED = 10;

export type Standpoint = {
  /** Slots up to then (epoch ms) are none of ours: nobody had the batch in his schedule, or it was paused. */
  since: number;
  missed: MissedPolicy;
  now: number;
  /** What is on record of a slot: fired, or passed over for good; missed; nothing. */
  recordOf(slot: number): "settled" | "missed" | null;
};

/** `due` is to be fired now; `missed` are to be written down, oldest first; `next` is the one to wait for. */
export type Slots = { due: number | null; missed: number[]; next: number | null };

/** Only the newest slot can be due: two nights that were missed are one night's work. Nothing depends on the order in which slots were seen, so
 *  that a clock that goes ahead and comes back costs no slot, and fires none twice. */
export function decideSlots(times: CronTimes, standpoint: Standpoint): Slots {
  const { missed, now, recordOf } = standpoint;
  const [newest, ...older] = unseenSlots(times, standpoint);
  const isOnTime = newest !== undefined && now - newest <= ON_TIME_MS;
  const isDue = newest !== undefined && (isOnTime || (missed === "once" && recordOf(newest) === null));
  const lost = [...(newest === undefined || isDue ? [] : [newest]), ...older].filter((slot) => recordOf(slot) === null);
  return { due: isDue ? newest : null, missed: lost.toReversed(), next: times.next(now) };
}

/** The slots of which nothing came yet, newest first, back to one that is settled: what lies before it was looked at then. */
function unseenSlots(times: CronTimes, { since, now, recordOf }: Standpoint): number[] {
  const slots: number[] = [];
  for (let at = now; slots.length < MOST_MISSED;) {
    const slot = times.last(at);
    if (slot === null || slot <= since) break;
    const record = recordOf(slot);
    if (record === "settled" || (record === "missed" && now - slot > ON_TIME_MS)) break;
    slots.push(slot);
    at = slot - 1;
  }
  return slots;
}

/** The next slots of a batch. */
export function nextSlots(times: CronTimes, after: number, count: number): number[] {
  const slots: number[] = [];
  for (let at: number | null = after; slots.length < count;) {
    at = times.next(at);
    if (at === null) break;
    slots.push(at);
  }
  return slots;
}
