/** Changes a few entries of a worktree's index without a process, under the lock that every git takes for it. */
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "./git.ts";
import { oidBytes, type RawIndex, readRawIndex, renderIndex } from "./index-file.ts";
import { SMALL_INDEX } from "./index-tree.ts";
import type { Repo } from "./repo.ts";
import { keepsBytes } from "./usual-repo.ts";

/** Whether the files of a worktree are the bytes that are stored, and its index is as git makes it by itself; attributes in the worktree aside. */
export function isPlain(repo: Repo, place: Place): boolean {
  return repo.plainLayout && keepsBytes(repo.commonDir) && !existsSync(join(place.gitDir, "config.worktree"));
}

/** Writes the index as `change` leaves it. False, and the index as it was, where `change` says so or throws, the index is large or none that is known
 *  here, or somebody else is writing it: then git has to do it, and says what is wrong. */
export function changeIndex(repo: Repo, place: Place, change: (index: RawIndex) => boolean): boolean {
  const path = join(place.gitDir, "index");
  const lock = `${path}.lock`;
  let file: number;
  try {
    // As every git does it: whoever makes this file may write the index.
    file = openSync(lock, "wx");
  } catch {
    return false;
  }
  try {
    const index = readRawIndex(path, oidBytes(repo), SMALL_INDEX);
    if (index !== null && change(index)) {
      const bytes = renderIndex(index);
      writeFileSync(file, Buffer.concat([bytes, createHash(repo.objectFormat).update(bytes).digest()]));
      renameSync(lock, path);
      return true;
    }
  } catch {
    // As above.
  } finally {
    closeSync(file);
  }
  rmSync(lock, { force: true });
  return false;
}
