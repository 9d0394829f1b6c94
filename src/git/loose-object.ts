/** Writes an object without a process: its bytes and its name are documented, and a spawned command would cost ten times as much.
 *  Synchronously: a dozen small calls of which each waited for its turn on the event loop took longer than they all together. */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import type { Oid } from "./git.ts";
import { syncDirectory } from "./live.ts";
import type { Repo } from "./repo.ts";
import { hasCode } from "./trash.ts";

/** Writes beside its place, syncs, renames: a reader sees all of the object or none, and it is on disk when this returns.
 *  git's gc clears a `tmp_obj_` that a kill left. Only where the repository has the plain layout. */
export function writeLooseObject(repo: Repo, type: "commit" | "tree", content: Buffer): Oid {
  const bytes = Buffer.concat([Buffer.from(`${type} ${content.length}\0`), content]);
  const oid = createHash(repo.objectFormat).update(bytes).digest("hex");
  const objects = join(repo.commonDir, "objects");
  const directory = join(objects, oid.slice(0, 2));
  const path = join(directory, oid.slice(2));
  if (existsSync(path)) return oid;
  const staged = join(directory, `tmp_obj_owt${randomBytes(6).toString("hex")}`);
  try {
    const isNew = writeInto(directory, staged, deflateSync(bytes));
    renameSync(staged, path);
    syncDirectory(directory);
    if (isNew) syncDirectory(objects);
  } catch (error) {
    rmSync(staged, { force: true });
    throw error;
  }
  return oid;
}

/** A gc beside us takes the folder away while it is empty, also right after we made it. True when the folder is new. */
function writeInto(directory: string, path: string, bytes: Uint8Array): boolean {
  for (let tries = 1; ; tries++) {
    const isNew = mkdirSync(directory, { recursive: true }) !== undefined;
    try {
      writeSynced(path, bytes);
      return isNew;
    } catch (error) {
      if (!hasCode(error, "ENOENT") || tries === 10) throw error;
    }
  }
}

function writeSynced(path: string, bytes: Uint8Array): void {
  const file = openSync(path, "wx", 0o444);
  try {
    writeSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
