/** When a run is expected to end, as the process that carries it worked it out last: who only looks does not have to read all of the history. */
import type { Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

/** Epoch milliseconds: the end, and when it was worked out; one before that: all that is at work takes longer than its bad case since then. Null: nobody can tell. `isRough`: from no more than a table. */
export type Expected = { end: number | null; isRough?: boolean; at: number };

export function writeExpected(store: Store, run: string, expected: Expected): void {
  store.run(
    "insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
    keyOf(run),
    JSON.stringify(expected),
  );
}

export function readExpected(store: Store, run: string): Expected | null {
  const value = store.get("select value from meta where key = ?", keyOf(run))?.["value"];
  return value === undefined ? null : (parseStored(String(value)) as Expected);
}

function keyOf(run: string): string {
  return `expected ${run}`;
}
