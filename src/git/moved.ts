/** Worktrees that somebody moved. git's own entry of a worktree stays the same when it is moved (`git worktree move`, or `mv` and
 *  `git worktree repair`); in it is written where the worktree stood when it was looked at last. */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Place } from "./git.ts";
import { adminIds, readText, recordedRoot } from "./place.ts";
import type { Repo } from "./repo.ts";

/** File of an entry that says where its worktree stood when owt last looked. */
export const STOOD_AT = "owt-stood-at";

export type Moved = { id: string; gitDir: string; from: string; to: string };

/** Those that stand elsewhere now than when they were looked at last. Of one that was never looked at is noted where it stands. */
export function findMoved(repo: Repo): Moved[] {
  return adminIds(repo).flatMap((id) => {
    const gitDir = join(repo.commonDir, "worktrees", id);
    const from = stoodAt(gitDir);
    const to = recordedRoot(gitDir);
    if (to === null || from === to || !existsSync(to)) return [];
    if (from !== null) return [{ id, gitDir, from, to }];
    noteStands({ gitDir }, to);
    return [];
  });
}

/** From now on it counts as standing there. Where nothing can be written, it is looked at again the next time. */
export function noteStands({ gitDir }: Pick<Place, "gitDir">, path: string): void {
  const file = join(gitDir, STOOD_AT);
  try {
    writeFileSync(`${file}.${process.pid}`, `${path}\n`);
    renameSync(`${file}.${process.pid}`, file);
  } catch {
    // Somebody else's repository, a full disk, or an entry that is going.
  }
}

function stoodAt(gitDir: string): string | null {
  const text = readText(join(gitDir, STOOD_AT))?.replace(/\n$/, "");
  // A power cut can leave it empty.
  return !text || text.includes("\0") ? null : text;
}
