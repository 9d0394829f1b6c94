/** How much memory attempts took at their peak, as far as it was measured: what the start of others is told from. */
import type { Store } from "./database.ts";

/** The newest ones are told from. */
const NEWEST = 50;

/** Writes down the highest that was seen of an attempt, agent and checks alike. */
export function notePeak(store: Store, attempt: number, bytes: number): void {
  store.run("update attempt set peak_bytes = max(coalesce(peak_bytes, 0), ?) where id = ?", Math.round(bytes), attempt);
}

/** The peaks of an agent's last attempts, the newest first. */
export function readPeaks(store: Store, agent: string): number[] {
  const sql = `select peak_bytes from attempt indexed by attempt_peak
    where agent = ? and peak_bytes is not null order by id desc limit ?`;
  return store.all(sql, agent, NEWEST).map((row) => Number(row["peak_bytes"]));
}
