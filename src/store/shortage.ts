/** What there is no room for just now, as the process that carries the runs found it: who only looks does not measure the machine. */
import { appendEvent } from "./events.ts";
import type { Shortage } from "../core/room.ts";
import type { Store } from "./database.ts";
import { forgetMeta, readMeta, writeMeta } from "./meta.ts";

/** The word holds as long as the process that gave it lives. */
export type NotedShortage = Shortage & { by: { pid: number; bootId: string; startTime: string } };

const KEY = "shortage";

/** Null: nothing is short. Told in the log of each of these runs, unless only the words are new. */
export function writeShortage(
  store: Store,
  at: number,
  shortage: NotedShortage | null,
  runs: readonly { run: string; isFirst: boolean }[],
): void {
  store.transaction(() => {
    if (shortage === null) forgetMeta(store, KEY);
    else writeMeta(store, KEY, shortage);
    const { of, why } = shortage ?? { of: null, why: "" };
    for (const { run, isFirst } of runs) appendEvent(store, at, { run }, { kind: "run-short", of, why, isFirst });
  });
}

export function readShortage(store: Store): NotedShortage | null {
  return readMeta<NotedShortage>(store, KEY);
}
