/** Who carries the runs. */
import { join } from "node:path";
import { readHolder } from "../store/lease.ts";
import { isAlive, isSuspended } from "../system/identity.ts";
import { isLockHeld } from "../system/lock.ts";
import type { Engine } from "./engine.ts";

/** The pid of the process that carries the runs right now, as it is called where it runs; null where nobody does. From inside a namespace
 *  of an attempt no such process is to be seen, but its lock is. */
export function isCarried(engine: Engine): number | null {
  const holder = readHolder(engine.store);
  if (!holder) return null;
  return isAlive(holder) || isLockHeld(leaseFile(engine)) ? holder.pid : null;
}

/** The pid of the process that carries the runs, where that was suspended: until it goes on nothing is carried, and nobody can take over from it. */
export function suspendedCarrier(engine: Engine): number | null {
  const holder = readHolder(engine.store);
  return holder !== null && isSuspended(holder) ? holder.pid : null;
}

/** The lock that is the right to carry them. */
export function leaseFile(engine: Engine): string {
  return join(engine.repo.commonDir, "owt", "lease.db");
}
