/** Each `owt run` is a viewer of its run and a candidate for the lease. The holder carries all open runs; when it ends,
 *  the next candidate takes over. */
import { readHolder, recordHolder } from "../store/lease.ts";
import { readRun } from "../store/runs.ts";
import { thisProcess } from "../system/identity.ts";
import { type LockTry, prepareLock } from "../system/lock.ts";
import type { Engine } from "./engine.ts";
import { outlastFullDisk } from "./full-disk.ts";
import { leaseFile } from "./holder.ts";
import { carryRuns, isRunSettled } from "./runner.ts";
import { nextChange } from "./wake.ts";

/** How often a candidate tries for the lease. */
const TRY_MS = 250;

export type Watcher = {
  /** This process carries the runs from now on, or another one (pid) does. */
  role(role: { kind: "holder" } | { kind: "viewer"; pid: number | null }): void;
};

/** Returns when the run is settled (ended, or waiting for a person), or when the signal aborts.
 *  As the holder an abort parks the agents; as a viewer it only ends the view. */
export async function carryOrWatch(
  engine: Engine,
  runId: string,
  watcher: Watcher,
  signal: AbortSignal,
): Promise<void> {
  const lease = prepareLock(leaseFile(engine));
  try {
    let told: number | null | undefined;
    while (!signal.aborted) {
      const change = nextChange(engine, signal);
      if (await tryLease(engine, lease, signal)) {
        watcher.role({ kind: "holder" });
        await carryRuns(engine, { signal, until: runId });
        return;
      }
      const holder = readHolder(engine.store)?.pid ?? null;
      if (holder !== told) watcher.role({ kind: "viewer", pid: holder });
      told = holder;
      const run = readRun(engine.store, runId);
      if (!run || isRunSettled(engine, run)) return;
      await change.happened(TRY_MS);
    }
  } finally {
    // Closing gives the lease back; the kernel does the same for a process that is killed.
    lease.close();
  }
}

async function tryLease(engine: Engine, lease: LockTry, signal: AbortSignal): Promise<boolean> {
  if (!lease.take()) return false;
  await outlastFullDisk(engine, signal, () => recordHolder(engine.store, thisProcess(), engine.now()));
  return true;
}

/** Brings what was stopped to its end, where nobody carries the runs: nothing is started, and nothing else is carried. */
export async function windDown(engine: Engine): Promise<void> {
  const lease = prepareLock(leaseFile(engine));
  try {
    if (await tryLease(engine, lease, engine.hurry)) await carryRuns(engine, { signal: engine.hurry, endings: true });
  } finally {
    lease.close();
  }
}
