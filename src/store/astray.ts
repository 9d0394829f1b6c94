/** That a run's branch was moved to where the run's work is not. */
import type { Astray } from "../core/astray.ts";
import type { Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { forgetMeta, readMeta, writeMeta } from "./meta.ts";

const keyOf = (run: string) => `astray ${run}`;

/** From now on it is known to be so, or (null) not any more. Told in the run's log. */
export function writeAstray(store: Store, at: number, run: string, astray: Astray | null): void {
  store.transaction(() => {
    if (astray === null) forgetMeta(store, keyOf(run));
    else writeMeta(store, keyOf(run), astray);
    appendEvent(store, at, { run }, { kind: "run-astray", astray });
  });
}

/** Null where nothing is amiss. */
export function readAstray(store: Store, run: string): Astray | null {
  return readMeta<Astray>(store, keyOf(run));
}
