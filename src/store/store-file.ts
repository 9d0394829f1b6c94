/** Where a store lies, and how long one waits for it. */
import { join } from "node:path";

/** How long a statement may block the event loop for another process's transaction. */
export const BUSY_TIMEOUT_MS = 250;

/** How long somebody waits who has to look again and again (ms). */
export const SWITCH_PAUSE_MS = 10;

/** Where the store of a repository lies. */
export function storeFile(commonDir: string): string {
  return join(commonDir, "owt", "state.db");
}

/** Blocks the thread: opening a store is not worth a turn of the event loop. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What something is called that was put aside at that time (epoch ms). */
export function asideName(path: string, why: string, at: number): string {
  return `${path}.${why}-${new Date(at).toISOString().replaceAll(/[:.]/g, "-")}`;
}
