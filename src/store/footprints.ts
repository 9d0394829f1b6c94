/** What is known of the files that tasks changed before, and what is held back for it. */
import { appendEvent } from "./events.ts";
import type { HeldApart } from "../core/overlap.ts";
import type { Store } from "./database.ts";
import { forgetMeta, readMeta, writeMeta } from "./meta.ts";

/** The merges of the tasks of a module that were integrated last, in whichever run, newest first. */
export function readMergesOf(store: Store, module: string, most: number): string[] {
  const sql =
    "select distinct commit_oid from task where state = 'done' and commit_oid is not null and spec ->> '$.module' = ? order by id desc limit ?";
  return store.all(sql, module, most).map((row) => String(row["commit_oid"]));
}

const keyOf = (run: string) => `apart ${run}`;

/** From now on these tasks of a run, and no others, let something else go first. Told in its log. */
export function writeHeldApart(store: Store, at: number, run: string, held: readonly HeldApart[]): void {
  store.transaction(() => {
    if (held.length === 0) forgetMeta(store, keyOf(run));
    else writeMeta(store, keyOf(run), held);
    appendEvent(store, at, { run }, { kind: "run-apart", tasks: [...held] });
  });
}

export function readHeldApart(store: Store, run: string): HeldApart[] {
  return readMeta<HeldApart[]>(store, keyOf(run)) ?? [];
}
