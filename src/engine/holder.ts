import { readHolder } from "../store/lease.ts";
import { readIdentity } from "../system/identity.ts";
import type { Engine } from "./engine.ts";

/** The pid of the process that carries the runs right now, or null. */
export function isCarried(engine: Engine): number | null {
  const holder = readHolder(engine.store);
  if (!holder) return null;
  const identity = readIdentity(holder.pid);
  return identity && holder.startTime === identity.startTime && holder.bootId === identity.bootId ? holder.pid : null;
}
