/** Who waits to be merged until somebody has resolved a conflict in the same file. */
import type { WaitsBehind } from "../core/resolving.ts";
import type { Store } from "./database.ts";
import { appendEvent } from "./events.ts";
import { parseStored } from "./stored-json.ts";

const keyOf = (run: string) => `behind ${run}`;

/** From now on these, and no others. Told in the run's log. */
export function writeBehind(store: Store, at: number, run: string, waiting: readonly WaitsBehind[]): void {
  store.transaction(() => {
    if (waiting.length === 0) store.run("delete from meta where key = ?", keyOf(run));
    else
      store.run(
        "insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
        keyOf(run),
        JSON.stringify(waiting),
      );
    appendEvent(store, at, { run }, { kind: "run-behind", tasks: [...waiting] });
  });
}

export function readBehind(store: Store, run: string): WaitsBehind[] {
  const value = store.get("select value from meta where key = ?", keyOf(run))?.["value"];
  return value === undefined ? [] : (parseStored(String(value)) as WaitsBehind[]);
}
