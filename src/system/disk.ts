/** What file systems have left. */
import { existsSync, statfsSync, statSync } from "node:fs";
import { dirname } from "node:path";

/** Bytes that programs without privileges may still write, of all there are; and files that can still be made, null where that has no limit. */
export type DiskRoom = { freeBytes: number; totalBytes: number; freeEntries: number | null; totalEntries: number };

/** The file system of a folder, or of the nearest one above it that exists; null where the system does not tell. A call of some microseconds. */
export function readDisk(folder: string): DiskRoom | null {
  try {
    const { bavail, blocks, bsize, files, ffree } = statfsSync(nearest(folder));
    // Some file systems make entries as they need them and count none.
    const freeEntries = files > 0 ? ffree : null;
    return blocks === 0
      ? null
      : { freeBytes: bavail * bsize, totalBytes: blocks * bsize, freeEntries, totalEntries: files };
  } catch {
    return null;
  }
}

/** The number of the file system of a folder, or of the nearest one above it that exists. */
export function deviceOf(folder: string): number | null {
  return statSync(nearest(folder), { throwIfNoEntry: false })?.dev ?? null;
}

function nearest(folder: string): string {
  let at = folder;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}

/** So little is as good as nothing: a commit, a line of a log and a page of a database take as much. */
const NOTHING_BYTES = 2 ** 20;

/** Whether nothing to speak of can be written any more. */
export function isFull({ freeBytes, freeEntries }: DiskRoom): boolean {
  return freeBytes < NOTHING_BYTES || (freeEntries !== null && freeEntries < 16);
}

/** Whether the system said so of a call: ENOSPC, or EDQUOT where it is the user's share that is full; or SQLite. */
export function saysFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ("errcode" in error && (Number(error.errcode) & 0xff) === SQLITE_FULL) return true;
  return "code" in error && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

/** https://sqlite.org/rescode.html#full */
const SQLITE_FULL = 13;

/** Whether it is for want of room that SQLite could not write the file at `path`. Where it cannot make or grow one of the files beside it, it says no more
 *  than that: then the file system is asked. */
export function isForWantOfRoom(error: unknown, path: string): boolean {
  if (saysFull(error)) return true;
  const isCut = error instanceof Error && "errcode" in error && SQLITE_UNREACHABLE.has(Number(error.errcode) & 0xff);
  const room = isCut ? readDisk(dirname(path)) : null;
  return room !== null && isFull(room);
}

/** READONLY, IOERR, CANTOPEN. */
const SQLITE_UNREACHABLE = new Set([8, 10, 14]);

/** What git says where a file could not be written for want of room (write_entry, do_write_locked_index): without the system's word for it. */
export const UNWRITTEN = "unable to write (?:file|new[_ ]index file)";

/** What programs print of it (strerror(3)), git and SQLite among them. */
export const FULL_WORDS = new RegExp(
  `No space left on device|ENOSPC|Disk quota exceeded|EDQUOT|database or disk is full|${UNWRITTEN}`,
  "i",
);
