/** Which processes ask a person something on their terminals, while which nobody may carry the runs. One may have ended since: ask `isAlive`. */
import type { Store } from "./database.ts";
import { forgetMeta, writeMeta } from "./meta.ts";
import { parseStored } from "./stored-json.ts";

/** A process that asks the question of a task; it goes on with the runs once that is answered, wherever. */
export type AtPrompt = { pid: number; bootId: string; startTime: string; run: string; task: string };

export function recordAtPrompt(store: Store, asking: AtPrompt): void {
  writeMeta(store, keyOf(asking.pid), asking);
}

export function forgetAtPrompt(store: Store, pid: number): void {
  forgetMeta(store, keyOf(pid));
}

export function readAtPrompt(store: Store): AtPrompt[] {
  const rows = store.all("select value from meta where key glob 'at-prompt *' order by key");
  return rows.map((row) => parseStored(String(row["value"])) as AtPrompt);
}

function keyOf(pid: number): string {
  return `at-prompt ${pid}`;
}
