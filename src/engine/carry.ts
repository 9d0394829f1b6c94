/** Each `owt run` is a viewer of its run and a candidate for the lease. The holder carries all open runs; when it ends,
 *  the next candidate takes over. */
import { existsSync } from "node:fs";
import { OwtError } from "../core/errors.ts";
import { hasCode } from "../lib/has-code.ts";
import { readOpenAttempts } from "../store/attempts.ts";
import { rescueCutStore, rescueStore } from "../store/backups.ts";
import { forgetHolder, readHolder, recordHolder } from "../store/lease.ts";
import { readRun } from "../store/runs.ts";
import { cutError, takenError } from "../store/store-error.ts";
import { storeFile } from "../store/store-file.ts";
import { type Identity, isAlive, thisProcess } from "../system/identity.ts";
import { type LockTry, prepareLock } from "../system/lock.ts";
import { stopBelow } from "../system/marked.ts";
import { attemptDir, type Engine } from "./engine.ts";
import { graceMs } from "./check.ts";
import { bookClockJump } from "./clock-jumps.ts";
import { isDiskShort } from "./disk-watch.ts";
import { isFullDisk, outlastFullDisk, unlessFullDisk } from "./full-disk.ts";
import { isCarried, leaseFile, suspendedCarrier } from "./holder.ts";
import { type CarryOptions, carryRuns } from "./runner.ts";
import { isRunSettled } from "./settled.ts";
import { beat, beginBeat, endBeat } from "./suspension.ts";
import { attemptsFolder } from "./taken-ids.ts";
import { Transcript } from "./transcript.ts";
import { nextChange } from "./wake.ts";

/** How often a candidate tries for the lease. */
const TRY_MS = 250;

type Role = { kind: "holder" } | { kind: "viewer"; pid: number | null; isSuspended: boolean };

export type Watcher = {
  /** This process carries the runs from now on, or another one (pid) does; told again where that was suspended or goes on. */
  role(role: Role): void;
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
    let told: { pid: number | null; isSuspended: boolean } | undefined;
    while (!signal.aborted) {
      // The owner puts it back, or says what lies there.
      if (!engine.store.isWhole()) throw takenFromBelow(engine);
      const change = nextChange(engine, signal);
      if (await tryLease(engine, lease, signal)) {
        watcher.role({ kind: "holder" });
        await carryAsOwner(engine, lease, { signal, until: runId });
        return;
      }
      const holder = readHolder(engine.store)?.pid ?? null;
      // One that is about to leave has taken its name off.
      const isSuspended = holder !== null && suspendedCarrier(engine) === holder;
      if (told === undefined || (holder !== null && (holder !== told.pid || isSuspended !== told.isSuspended))) {
        told = { pid: holder, isSuspended };
        watcher.role({ kind: "viewer", ...told });
      }
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
  if (!(await outlastFullDisk(engine, signal, () => lease.take()))) return false;
  const isOurs = await outlastFullDisk(engine, signal, () => claimStore(engine));
  if (!isOurs) lease.release();
  return isOurs;
}

/** Puts our name in the store, in one transaction with the look at who stands there: two who each have a lease, since somebody deleted the file of the first, do not
 *  both get in. */
function claimStore(engine: Engine): boolean {
  const me = thisProcess();
  return engine.store.transaction(() => {
    const holder = readHolder(engine.store);
    if (holder !== null && !isSame(holder, me) && isAlive(holder)) return false;
    recordHolder(engine.store, me, engine.now());
    return true;
  });
}

const isSame = (one: Identity, other: Identity) => one.pid === other.pid && one.startTime === other.startTime;

/** What a viewer is told, who cannot know what becomes of the store. */
function takenFromBelow({ repo }: Engine): OwtError {
  const path = storeFile(repo.commonDir);
  return new OwtError("store", `the store ${path} was taken away while it was in use`, { hint: "owt status" });
}

/** How often the owner looks whether its lease, and its store, are still those that others find. */
const KEEP_MS = 1_000;

async function carryAsOwner(engine: Engine, lease: LockTry, options: CarryOptions): Promise<void> {
  const lost = new AbortController();
  beginBeat(engine);
  const timer = setInterval(() => {
    try {
      if (!engine.store.isInPlace()) void endWithoutFolders(engine);
      else if (engine.store.isWhole() && isStillOurs(engine, lease)) {
        lookAtClock(engine);
        return;
      }
      lost.abort();
    } catch (error) {
      // Where nobody may look for now nothing is known to be lost: it is looked at again.
      if (!hasCode(error, "EACCES") && !hasCode(error, "EPERM")) throw error;
    }
  }, KEEP_MS).unref();
  try {
    await carryRuns(engine, { ...options, signal: AbortSignal.any([options.signal, lost.signal]) });
  } catch (error) {
    // What follows from that it is gone says less.
    if (engine.store.isWhole()) throw error;
  } finally {
    clearInterval(timer);
    endBeat(engine);
    forgetOurselves(engine);
  }
  const { commonDir } = engine.repo;
  if (!engine.store.isInPlace()) {
    const kept = await outlastFullDisk(engine, engine.hurry, () => rescueStore(engine.store, commonDir));
    throw takenError(storeFile(commonDir), kept);
  }
  if (!engine.store.isWhole()) {
    // What could not be written down any more stopped nobody.
    await stopBelow(attemptsFolder(engine.repo), { graceMs: graceMs(engine) });
    const rescue = () => rescueCutStore(engine.store, commonDir, engine.now());
    throw cutError(storeFile(commonDir), await outlastFullDisk(engine, engine.hurry, rescue));
  }
  if (lost.signal.aborted)
    throw new OwtError("wrong-state", "another owt has taken over the runs of this repository", {
      hint: "who it is: owt status",
    });
}

/** On a full disk the next look does it. */
function lookAtClock(engine: Engine): void {
  try {
    bookClockJump(engine);
    beat(engine);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

/** Agents whose folders went with the store cannot be asked to leave, and nothing else would end them. */
async function endWithoutFolders(engine: Engine): Promise<void> {
  const folders = readOpenAttempts(engine.store).map(({ id }) => attemptDir(engine, id));
  await Promise.all(folders.filter((dir) => !existsSync(dir)).map((dir) => stopBelow(dir, { graceMs: 0 })));
}

/** Where somebody only tries for the file at this moment it is ours again at the next look: what counts is the name in the store. */
function isStillOurs(engine: Engine, lease: LockTry): boolean {
  try {
    if (lease.keep()) return true;
    const holder = readHolder(engine.store);
    return holder === null || isSame(holder, thisProcess());
  } catch (error) {
    // Nothing could be read or written just now.
    if (error instanceof Error) return true;
    throw error;
  }
}

/** Whoever comes next need not ask whether we still live. On a full disk, or in a damaged store, they do. */
function forgetOurselves(engine: Engine): void {
  try {
    forgetHolder(engine.store, thisProcess());
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

/** So often in a row what a log gives up may be filled again before a word is written. */
const MOST_FILLED = 5;

/** Does something repeatable that writes, on a disk that may be full of what an agent prints whose owt has died: nobody lets go of that but us. */
export async function withRoom<T>(engine: Engine, work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    await makeRoomUncarried(engine);
    try {
      return await work();
    } catch (error) {
      if (tries === MOST_FILLED || !isFullDisk(engine, error)) throw error;
    }
  }
}

async function makeRoomUncarried(engine: Engine): Promise<void> {
  // Whoever carries them reads and cuts by itself. There is no room to take the lease first.
  if (!isDiskShort(engine) || isCarried(engine) !== null) return;
  for (const attempt of readOpenAttempts(engine.store))
    if (attempt.phase === "agent") await new Transcript(engine, attempt).read();
}

/** Brings what was stopped to its end, where nobody carries the runs: nothing is started, and nothing else is carried. What there is no room for is left to whoever
 *  carries them next, which can wait for it. */
export async function windDown(engine: Engine): Promise<void> {
  const lease = prepareLock(leaseFile(engine));
  try {
    await unlessFullDisk(engine, async () => {
      if (await tryLease(engine, lease, AbortSignal.abort()))
        await carryAsOwner(engine, lease, { signal: engine.hurry, endings: true });
    });
  } finally {
    lease.close();
  }
}
