/** Who waits to be merged until somebody has resolved a conflict in the same file. */
import type { HeldMerges } from "../core/held-merges.ts";
import type { WaitsBehind } from "../core/resolving.ts";
import { readAstray } from "./astray.ts";
import type { Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { readRedTip } from "./red-tip.ts";
import { forgetMeta, readMeta, writeMeta } from "./meta.ts";

const keyOf = (run: string) => `behind ${run}`;

/** From now on these, and no others. Told in the run's log. */
export function writeBehind(store: Store, at: number, run: string, waiting: readonly WaitsBehind[]): void {
  store.transaction(() => {
    if (waiting.length === 0) forgetMeta(store, keyOf(run));
    else writeMeta(store, keyOf(run), waiting);
    appendEvent(store, at, { run }, { kind: "run-behind", tasks: [...waiting] });
  });
}

export function readBehind(store: Store, run: string): WaitsBehind[] {
  return readMeta<WaitsBehind[]>(store, keyOf(run)) ?? [];
}

/** What the merges of a run wait for beside their turn. */
export function readHeldMerges(store: Store, run: string): HeldMerges {
  return { red: readRedTip(store, run), behind: readBehind(store, run), astray: readAstray(store, run) };
}
