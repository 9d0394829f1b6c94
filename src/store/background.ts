/** Which process carries a run in the background, as it said itself when it began. It may have ended since: ask `isAlive`. */
import type { Store } from "./database.ts";
import { readMeta, writeMeta } from "./meta.ts";

export type BackgroundProcess = { pid: number; bootId: string; startTime: string };

export function recordBackground(store: Store, run: string, process: BackgroundProcess): void {
  writeMeta(store, keyOf(run), process);
}

export function readBackground(store: Store, run: string): BackgroundProcess | null {
  return readMeta<BackgroundProcess>(store, keyOf(run));
}

function keyOf(run: string): string {
  return `background ${run}`;
}
