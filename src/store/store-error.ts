/** What SQLite's errors mean, and how they are told. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { OwtError } from "../core/errors.ts";
import { isForWantOfRoom } from "../system/disk.ts";
import { shellWord } from "../lib/printable.ts";
import { MEND } from "./stored-json.ts";

/** Primary result codes of SQLite, https://sqlite.org/rescode.html. */
const FULL = 13;
/** CORRUPT and NOTADB. */
const DAMAGED = new Set([11, 26]);
/** READONLY, IOERR, CANTOPEN. */
const UNREACHABLE = new Set([8, 10, 14]);

/** The primary code: extended ones carry it in their lowest byte. */
function codeOf(error: unknown): number {
  return error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
}

/** Whether the file is no sound database, or none in the shape that it says. */
export function isDamage(error: unknown): boolean {
  return DAMAGED.has(codeOf(error)) || (error instanceof Error && error.message.startsWith("no such table: "));
}

/** Whether it says something about the file, and not about what was asked of it. */
export function isOfTheFile(error: unknown): boolean {
  const code = codeOf(error);
  return isDamage(error) || code === FULL || UNREACHABLE.has(code);
}

/** SQLite's own functions for JSON say so of a text that is none. */
export function isMalformed(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.message === "malformed JSON";
}

/** Whether somebody else has the file just now. */
export function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && [5, 6, 261, 517].includes(Number(error.errcode));
}

/** What a person is told of it, and what helps. */
export function storeError(error: unknown, path: string): OwtError {
  const said = error instanceof Error ? error.message : String(error);
  const told = (message: string, hint: string) => new OwtError("store", message, { hint, cause: error });
  if (isBusy(error)) return told("the store is held by another process", "try again in a moment");
  if (isForWantOfRoom(error, path))
    return new OwtError("disk-full", `the disk is full: ${path} cannot be written`, { cause: error });
  if (isDamage(error)) return damagedError(path, said, error);
  if (isFolder(path)) return damagedError(path, IS_FOLDER, error);
  const owner = statSync(path, { throwIfNoEntry: false })?.uid ?? null;
  if (owner !== null && owner !== process.getuid?.() && process.getuid?.() !== 0)
    return told(
      `the store ${path} belongs to another user (${owner}): ${said}`,
      `a clone of one's own has its own: git clone; or give it to the one who works here: sudo chown -R "$(id -un)" ${shellWord(dirname(path))}`,
    );
  return told(
    `the store ${path} cannot be used: ${said}`,
    "see that its folder can be read and written, then try again",
  );
}

export const IS_FOLDER = "a folder lies in its place";

/** Whether a folder lies there. */
export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Nothing is mended by the way: who repairs a store says what may be missing from it. */
export function damagedError(path: string, said: string, cause: unknown): OwtError {
  return new OwtError("store", `the store ${path} is damaged: ${said}`, { hint: MEND, cause });
}

/** A store that is gone is begun anew only where a person has removed its copies too. */
export function lostError(path: string, said: string, copies: string): OwtError {
  return new OwtError("store", `there is no store ${path}: ${said}`, {
    hint: `restore its last copy: owt doctor --fix; to begin anew instead: rm -r '${copies}'`,
  });
}

/** Who had it open had to stop. `kept` is the copy that holds all of it; null where it is back in its place. */
export function takenError(path: string, kept: string | null): OwtError {
  const became =
    kept === null
      ? "it was put back as it was"
      : `something else lies there now, and all that it held is kept as ${kept}`;
  const hint = kept === null ? "go on: owt resume" : "put that aside and restore what is kept: owt doctor --fix";
  return new OwtError("store", `the store ${path} was taken away while it was in use; ${became}`, { hint });
}

/** The same of one that was cut off where it lay. `aside` is where that is now; null where not all of it could be read any more. */
export function cutError(path: string, aside: string | null): OwtError {
  const became =
    aside === null
      ? "not all that it held can be read any more"
      : `it was put back as it was, and what was left is kept as ${aside}`;
  return new OwtError("store", `the store ${path} was cut off while it was in use; ${became}`, {
    hint: aside === null ? MEND : "go on: owt resume",
  });
}
