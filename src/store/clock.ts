/** How the clock on the wall stood against the one that nobody sets, when somebody last looked. */
import type { Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

/** By how much the wall was ahead, in milliseconds, since the start of the machine that has this id. */
export type ClockReading = { bootId: string; aheadMs: number };

/** Null where nobody has looked yet. */
export function readClock(store: Store): ClockReading | null {
  const row = store.get("select value from meta where key = 'clock'");
  return row ? (parseStored(row["value"]) as ClockReading) : null;
}

export function recordClock(store: Store, reading: ClockReading): void {
  const sql =
    "insert into meta (key, value) values ('clock', ?) on conflict (key) do update set value = excluded.value";
  store.run(sql, JSON.stringify(reading));
}
