/** Who carries the runs of this repository, for people to read. The right itself is `system/lock.ts`. */
import type { Store } from "./database.ts";

export type Holder = { pid: number; bootId: string; startTime: string; since: number };

/** Takes a process's name off, where it stands there. */
export function forgetHolder(store: Store, { pid, startTime }: Pick<Holder, "pid" | "startTime">): void {
  store.run("delete from lease where pid = ? and start_time = ?", pid, startTime);
}

export function recordHolder(store: Store, holder: Omit<Holder, "since">, at: number): void {
  store.run(
    `insert into lease (one, pid, boot_id, start_time, since) values (1, ?, ?, ?, ?)
     on conflict (one) do update set pid = excluded.pid, boot_id = excluded.boot_id, start_time = excluded.start_time, since = excluded.since`,
    holder.pid,
    holder.bootId,
    holder.startTime,
    at,
  );
}

/** The process that last took the lease; it may have ended since. */
export function readHolder(store: Store): Holder | null {
  const row = store.get("select * from lease");
  return row
    ? {
        pid: Number(row["pid"]),
        bootId: String(row["boot_id"]),
        startTime: String(row["start_time"]),
        since: Number(row["since"]),
      }
    : null;
}
