/** Copies of the store, a few generations, taken while runs are carried; and how one of them becomes the store again. Where the store
 *  was found damaged it is put beside, never deleted. */
import fs, {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import sqlite from "node:sqlite";
import { Worker } from "node:worker_threads";
import { OwtError } from "../core/errors.ts";
import { type Backup, backupFolder, backupName, listBackups } from "./backup-files.ts";
import type { Store } from "./database.ts";
import { lastSeq } from "./events.ts";
import { syncFile } from "./migrate.ts";
import { findDamageIn, setStoreAside } from "./store-damage.ts";
import { storeFile } from "./store-file.ts";
import { FIND_BROKEN } from "./stored-json.ts";

/** The newest ones that are kept, and how many of every twentieth and every four-hundredth: by number, for clocks are set. */
const NEWEST = 3;
const SPARSE: readonly (readonly [every: number, kept: number])[] = [
  [20, 2],
  [400, 1],
];

/** Copies a store that is sound; gives the copy's last event, or what was wrong. Reading every row finds damage that no query met yet. It stands by
 *  itself, for a thread gets it as a text. */
function copySound(
  { DatabaseSync }: Pick<typeof sqlite, "DatabaseSync">,
  { fsyncSync, openSync, closeSync }: Pick<typeof fs, "fsyncSync" | "openSync" | "closeSync">,
  { from, to, look }: { from: string; to: string; look: string },
): number | string {
  const db = new DatabaseSync(from, { readOnly: true, timeout: 5_000 });
  try {
    const said = db.prepare("pragma quick_check(1)").get()?.["quick_check"];
    if (said !== "ok") return String(said);
    const found = db.prepare(look).get();
    if (found) return `a text of the table ${String(found["broken"])} cannot be read`;
    db.prepare("vacuum into ?").run(to);
    const file = openSync(to, "r+");
    fsyncSync(file);
    closeSync(file);
    const copy = new DatabaseSync(to, { readOnly: true });
    const last = copy.prepare("select coalesce(max(seq), 0) as seq from event").get();
    copy.close();
    return Number(last?.["seq"]);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    db.close();
  }
}

const IN_THREAD = `
const { workerData, parentPort } = require("node:worker_threads");
parentPort.postMessage((${copySound.toString()})(require("node:sqlite"), require("node:fs"), workerData));
`;

/** Up to here a copy is made at once: that takes milliseconds, and a thread to do it some forty. The log beside the store, which grows to 4 MB
 *  however little there is, does not count. */
const SMALL_BYTES = 2_000_000;

/** Takes a copy of the store as it is now, and lets go of those that are not needed any more. Only one process may do so at a time.
 *  Resolves with what was wrong, null where nothing was: a copy that cannot be made (a full disk) must stop nothing, and one of a damaged store is none. */
export async function takeBackup(commonDir: string): Promise<string | null> {
  const folder = backupFolder(commonDir);
  const to = join(folder, "unfinished");
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    rmSync(to, { force: true });
    const what = { from: storeFile(commonDir), to, look: FIND_BROKEN };
    const { size } = statSync(what.from);
    const copied = size <= SMALL_BYTES ? copySound(sqlite, fs, what) : await copyInThread(what);
    if (typeof copied === "string") {
      // On a full disk a part of one takes the last room.
      rmSync(to, { force: true });
      return copied;
    }
    const number = (listBackups(commonDir)[0]?.number ?? 0) + 1;
    renameSync(to, join(folder, backupName(number, copied)));
    syncFolder(folder);
    for (const { path } of staleBackups(listBackups(commonDir))) rmSync(path, { force: true });
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Each of its calls waits for the disk. */
function copyInThread(what: Parameters<typeof copySound>[2]): Promise<number | string> {
  return new Promise((resolve) => {
    const worker = new Worker(IN_THREAD, { eval: true, workerData: what });
    worker.once("message", resolve);
    worker.once("error", (error) => resolve(error instanceof Error ? error.message : String(error)));
    worker.once("exit", () => resolve("it was cut off"));
  });
}

/** Those that can go; `all` newest first. */
export function staleBackups(all: readonly Backup[]): Backup[] {
  const kept = new Set(all.slice(0, NEWEST));
  for (const [every, most] of SPARSE)
    for (const backup of all.filter(({ number }) => number % every === 0).slice(0, most)) kept.add(backup);
  return all.filter((backup) => !kept.has(backup));
}

/** What became of a damaged store: where it is now (null: it was gone), and which copy is in its place. */
export type Restored = { aside: string | null; from: Backup | null; unsound: string[] };

/** Puts a damaged store aside, where it is not gone, and the newest sound copy in its place; where there is none, the next command makes a new one. The caller
 *  sees to it that nobody carries runs. */
export function restoreStore(commonDir: string, at: number): Restored {
  const path = storeFile(commonDir);
  const all = listBackups(commonDir);
  const from = all.find((backup) => findDamageIn(backup.path) === null) ?? null;
  const unsound = all.slice(0, from === null ? undefined : all.indexOf(from)).map((backup) => backup.path);
  const ready = `${path}.restoring`;
  if (from !== null) {
    copyFileSync(from.path, ready);
    syncFile(ready);
  }
  const aside = setStoreAside(commonDir, at);
  // A copy that is newer than what is restored would say of it, for ever, that something is missing.
  for (const path of unsound) renameSync(path, `${path}.damaged`);
  if (from !== null) renameSync(ready, path);
  syncFolder(join(commonDir, "owt"));
  return { aside, from, unsound };
}

/** Writes a store down whose file was taken from below it: as its newest copy, and at its path where nothing else lies. Gives that copy where something else
 *  does, else null. The caller is the one who carries the runs, and writes no more into the old one. */
export function rescueStore(store: Store, commonDir: string): string | null {
  const copy = keepCopy(commonDir, writeDown(store, commonDir));
  return putInPlace(copy, storeFile(commonDir)) ? null : copy;
}

/** The same of a store that was cut off where it lay: what is left of it is put aside. Gives where that is; null, and nothing is moved, where not all that it held can be
 *  read any more. */
export function rescueCutStore(store: Store, commonDir: string, at: number): string | null {
  const written = writeWhole(store, commonDir);
  if (written === null) return null;
  const copy = keepCopy(commonDir, written);
  const aside = setStoreAside(commonDir, at);
  return putInPlace(copy, storeFile(commonDir)) ? aside : null;
}

type Written = { path: string; seq: number };

/** Null where it cannot be read, or lacks what its newest copy has. */
function writeWhole(store: Store, commonDir: string): Written | null {
  try {
    const written = writeDown(store, commonDir);
    const isWhole = findDamageIn(written.path) === null && written.seq >= (listBackups(commonDir)[0]?.seq ?? 0);
    return isWhole ? written : null;
  } catch (error) {
    if (error instanceof OwtError && error.code === "store") return null;
    throw error;
  }
}

function writeDown(store: Store, commonDir: string): Written {
  const folder = backupFolder(commonDir);
  const path = join(folder, "unfinished");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  rmSync(path, { force: true });
  store.copyTo(path);
  syncFile(path);
  return { path, seq: lastSeq(store) };
}

function keepCopy(commonDir: string, { path, seq }: Written): string {
  const folder = backupFolder(commonDir);
  const number = (listBackups(commonDir)[0]?.number ?? 0) + 1;
  const copy = join(folder, backupName(number, seq));
  renameSync(path, copy);
  syncFolder(folder);
  return copy;
}

/** False where something lies there. */
function putInPlace(copy: string, path: string): boolean {
  if (existsSync(path)) return false;
  const ready = `${path}.restoring`;
  copyFileSync(copy, ready);
  syncFile(ready);
  // A journal that was left there would be taken for that of the copy, which holds all of it.
  for (const part of ["-wal", "-shm"]) rmSync(path + part, { force: true });
  try {
    // A link takes nobody's place, which a renaming would.
    linkSync(ready, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(ready, { force: true });
    syncFolder(dirname(path));
  }
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  fsyncSync(folder);
  closeSync(folder);
}
