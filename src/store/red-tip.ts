/** That a run's branch is red by itself, and whose merges wait for that to be mended. */
import type { RedTip } from "../core/red-tip.ts";
import type { Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { forgetMeta, readMeta, writeMeta } from "./meta.ts";

const keyOf = (run: string) => `red tip ${run}`;

/** From now on the branch of a run is known to be red by itself, or (null) not any more. Told in its log. */
export function writeRedTip(store: Store, at: number, run: string, red: RedTip | null): void {
  store.transaction(() => {
    if (red === null) forgetMeta(store, keyOf(run));
    else writeMeta(store, keyOf(run), red);
    appendEvent(store, at, { run }, { kind: "tip-red", red });
  });
}

/** Null where nothing is known to be red. */
export function readRedTip(store: Store, run: string): RedTip | null {
  return readMeta<RedTip>(store, keyOf(run));
}
