/** Which process carries a run in the background, as it said itself when it began. It may have ended since: ask `isAlive`. */
import type { Store } from "./database.ts";
import { parseStored } from "./stored-json.ts";

export type BackgroundProcess = { pid: number; bootId: string; startTime: string };

export function recordBackground(store: Store, run: string, process: BackgroundProcess): void {
  store.run(
    "insert into meta (key, value) values (?, ?) on conflict (key) do update set value = excluded.value",
    keyOf(run),
    JSON.stringify(process),
  );
}

export function readBackground(store: Store, run: string): BackgroundProcess | null {
  const value = store.get("select value from meta where key = ?", keyOf(run))?.["value"];
  return value === undefined ? null : (parseStored(String(value)) as BackgroundProcess);
}

function keyOf(run: string): string {
  return `background ${run}`;
}
