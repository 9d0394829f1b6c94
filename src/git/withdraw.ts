/** Takes git's entry of a worktree (`worktrees/<id>`) away without breaking the git commands that run beside us.
 *  git (2.39, worktree.c and setup.c) lists the entries, reads `gitdir` of each, and then `commondir`, `HEAD` and `locked`. An entry that
 *  vanishes between the first and the last ends that command with 128 (`fatal: Invalid path '….git/worktrees/…'`, measured: 5 of 5,253
 *  `git worktree list` beside 400 removals). One without `gitdir` is passed over. So that file goes first, and the rest once
 *  every command that had seen it is through. */
import { existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { saysFull } from "../system/disk.ts";
import { initializingReason } from "./owner.ts";
import { moveToTrash } from "./trash.ts";
import { hasCode } from "../lib/has-code.ts";

/** A command reads all of an entry within a millisecond; this leaves it time to be held up by a busy machine, */
const LOOKED_AT_MS = 60;
/** and this where nobody that we know of runs git now. */
const ALONE_MS = 10;

/** Who else may be looking. */
export type Around = {
  /** Nobody that we know of runs git now. */
  isAlone?: boolean;
  /** Resolves when that is so. */
  quiet?: Promise<void>;
};

/** Makes an entry invisible to git: on return the worktree does not exist any more. `taken` then moves what is left of the entry into the bin.
 *  Killed in between, the entry counts as half-made, and the next sweep clears it. An entry that is gone already is fine. */
export function withdrawEntry(bin: string, gitDir: string, around: Around = {}): { taken(): Promise<void> } {
  const gitdir = join(gitDir, "gitdir");
  if (!existsSync(gitdir)) return { taken: async () => moveToTrash(bin, gitDir, "admin") };
  try {
    // Locked, so that a `git worktree prune` beside us leaves the taking away to us.
    lock(gitDir);
    rmSync(gitdir);
  } catch (error) {
    if (!hasCode(error, "ENOENT")) throw error;
  }
  const unseen = performance.now();
  return {
    async taken() {
      const left = (around.isAlone ? ALONE_MS : LOOKED_AT_MS) - (performance.now() - unseen);
      const alone = around.quiet?.then(() => sleep(ALONE_MS));
      if (left > 0) await Promise.race([sleep(left), ...(alone ? [alone] : [])]);
      moveToTrash(bin, gitDir, "admin");
    },
  };
}

/** On a full disk there is no room for the lock, and it goes without: taking away is what makes room. */
function lock(gitDir: string): void {
  const unfinished = join(gitDir, "locked.owt");
  try {
    writeFileSync(unfinished, `${initializingReason()}\n`);
    renameSync(unfinished, join(gitDir, "locked"));
  } catch (error) {
    if (!saysFull(error)) throw error;
    rmSync(unfinished, { force: true });
  }
}
