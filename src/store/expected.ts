/** When a run is expected to end, as the process that carries it worked it out last: who only looks does not have to read all of the history. */
import type { Store } from "./database.ts";
import { readMeta, writeMeta } from "./meta.ts";

/** Epoch milliseconds: the end, and when it was worked out; one before that: all that is at work takes longer than its bad case since then. Null: nobody can tell. `isRough`: from no more than a table. */
export type Expected = { end: number | null; isRough?: boolean; at: number };

export function writeExpected(store: Store, run: string, expected: Expected): void {
  writeMeta(store, keyOf(run), expected);
}

export function readExpected(store: Store, run: string): Expected | null {
  return readMeta<Expected>(store, keyOf(run));
}

function keyOf(run: string): string {
  return `expected ${run}`;
}
