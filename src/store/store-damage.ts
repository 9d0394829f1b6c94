/** What is wrong with the file of a store: damage that SQLite sees, what it is silent about, and what a copy of it has that it has not. */
import { existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { oneLine } from "../core/names.ts";
import { backupFolder, listBackups } from "./backup-files.ts";
import { beforeShape } from "./migrate.ts";
import { MIGRATIONS } from "./migrations.ts";
import { IS_FOLDER, isDamage, isFolder, storeError } from "./store-error.ts";
import { asideName, BUSY_TIMEOUT_MS, pause, storeFile, SWITCH_PAUSE_MS } from "./store-file.ts";
import { describeBroken, FIND_BROKEN } from "./stored-json.ts";

/** What is wrong with the file of a store, read through and through, or that it is gone; null when nothing is, or there never was one. */
export function findDamage(commonDir: string): string | null {
  return findLoss(commonDir) ?? findDamageIn(storeFile(commonDir), commonDir);
}

/** That a store is gone while copies of it are there, in words; null for nothing. */
export function findLoss(commonDir: string): string | null {
  const isGone = () => !existsSync(storeFile(commonDir)) && listBackups(commonDir).length > 0;
  return isGone() && stays(isGone) ? `it is gone, but copies of it lie in ${backupFolder(commonDir)}` : null;
}

/** The same of any file of that kind; the store of `commonDir` is held against its copies too. */
export function findDamageIn(path: string, commonDir?: string): string | null {
  if (!existsSync(path)) return null;
  if (isFolder(path)) return IS_FOLDER;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    const said = db.prepare("pragma quick_check(1)").get()?.["quick_check"];
    if (said !== "ok") return oneLine(String(said));
    const broken = findBroken(db) ?? findMissing(db);
    if (broken !== null) return broken;
    // A copy is never taken of a store without a shape.
    if (commonDir === undefined && isEmpty(db)) return "it is empty";
    return commonDir === undefined ? null : findLag(db, commonDir);
  } catch (error) {
    if (isDamage(error)) return error instanceof Error ? error.message : String(error);
    throw storeError(error, path);
  } finally {
    db?.close();
  }
}

/** Moves a damaged store out of the way, with its journal, and says where its file is now; null where it was gone. */
export function setStoreAside(commonDir: string, at: number): string | null {
  const path = storeFile(commonDir);
  const aside = asideName(path, "damaged", at);
  const wasThere = existsSync(path);
  for (const part of ["-wal", "-shm", ""]) if (existsSync(path + part)) renameSync(path + part, aside + part);
  return wasThere ? aside : null;
}

/** Nothing is said of a store in an older shape, which a migration is still to read. */
function findBroken(db: DatabaseSync): string | null {
  if (db.prepare("pragma user_version").get()?.["user_version"] !== MIGRATIONS.length) return null;
  const broken = db.prepare(FIND_BROKEN).get()?.["broken"];
  return broken === undefined ? null : describeBroken(String(broken));
}

/** The first table that is not there, though the shape has it. */
function findMissing(db: DatabaseSync): string | null {
  const shape = Number(db.prepare("pragma user_version").get()?.["user_version"]);
  const model = new DatabaseSync(":memory:");
  for (const step of MIGRATIONS.slice(0, shape)) model.exec(step);
  const there = new Set(tablesOf(db));
  const missing = tablesOf(model).find((name) => !there.has(name));
  model.close();
  return missing === undefined ? null : `no such table: ${missing}`;
}

function tablesOf(db: DatabaseSync): string[] {
  return db
    .prepare("select name from sqlite_master where type = 'table'")
    .all()
    .map(({ name }) => String(name));
}

/** What a store lacks that its newest copy has, in words; null for nothing. Of a journal that was damaged or removed SQLite takes what is sound and
 *  says nothing: the store is an earlier one then, or none at all. */
export function findLag(db: DatabaseSync, commonDir: string): string | null {
  const [newest] = listBackups(commonDir);
  if (isEmpty(db)) {
    const hasHadContent = newest !== undefined || existsSync(join(commonDir, "owt", "attempts"));
    return hasHadContent && stays(() => isEmpty(db)) ? "it is empty, but has had a content" : null;
  }
  if (newest === undefined) return null;
  const shape = Number(db.prepare("pragma user_version").get()?.["user_version"]);
  if (isFalseShape(shape, newest.path, commonDir))
    return `its header names shape ${shape}, which its copy does not have`;
  const before = db.prepare("select value from meta where key = 'backups_before'").get()?.["value"];
  if (newest.number <= Number(before ?? 0)) return null;
  const seq = Number(db.prepare("select coalesce(max(seq), 0) as seq from event").get()?.["seq"]);
  return newest.seq <= seq ? null : `it ends with event ${seq}, but its copy has ${newest.seq}`;
}

/** Whether a shape that is not known here is damage, and not a newer owt's doing: that would have kept the store as it was before, or its copies would have that shape too. */
function isFalseShape(shape: number, copy: string, commonDir: string): boolean {
  if (shape >= 0 && shape <= MIGRATIONS.length) return false;
  if (existsSync(join(commonDir, "owt", "backups", beforeShape(MIGRATIONS.length + 1)))) return false;
  const db = new DatabaseSync(copy, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
  try {
    const known = Number(db.prepare("pragma user_version").get()?.["user_version"]);
    return known > 0 && known <= MIGRATIONS.length;
  } catch (error) {
    // A copy that is damaged says nothing.
    if (isDamage(error)) return false;
    throw error;
  } finally {
    db.close();
  }
}

function isEmpty(db: DatabaseSync): boolean {
  return db.prepare("pragma user_version").get()?.["user_version"] === 0;
}

/** Another process may be making it, or putting a copy in its place, right now. */
function stays(is: () => boolean): boolean {
  for (let looks = 0; looks < 30; looks++) {
    if (!is()) return false;
    pause(SWITCH_PAUSE_MS);
  }
  return true;
}
