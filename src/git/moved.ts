/** Worktrees that somebody moved. git's own entry of a worktree stays the same when it is moved (`git worktree move`, or `mv` and
 *  `git worktree repair`); in it is written where the worktree stood when it was looked at last. */
import { existsSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { git, type Place } from "./git.ts";
import { adminIds, foldersIn, lstatInside, namedGitDir, readText, recordedRoot } from "./place.ts";
import type { Repo } from "./repo.ts";
import { moduleDirs } from "./submodules.ts";

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

/** Where a worktree stands that is not where git has it on record, but beside that; null where it is not there. */
export function findNearby({ gitDir, root }: Pick<Place, "gitDir" | "root">): string | null {
  const beside = foldersIn(dirname(root)).map((name) => join(dirname(root), name));
  return beside.find((each) => namedGitDir(each) === gitDir) ?? null;
}

/** Lets the submodules that are checked out in a worktree find it where it stands now, and it them: a plain `mv` tells neither, nor does
 *  `git worktree repair`, and `git worktree move` refuses such a one. */
export async function followModules(repo: Repo, { gitDir, from, to }: Omit<Moved, "id">): Promise<void> {
  for (const module of moduleDirs(join(gitDir, "modules"))) {
    const config = ["config", "--file", join(module, "config")];
    const said = (await git(repo, [...config, "core.worktree"], { ok: [0, 1] })).stdout.replace(/\n$/, "");
    const inside = relative(from, resolve(module, said));
    if (said !== "" && inside !== "" && !inside.startsWith("..") && lstatInside(to, `${inside}/.git`)?.isFile()) {
      const root = join(to, inside);
      await git(repo, [...config, "core.worktree", relative(module, root)]);
      writeFileSync(join(root, ".git"), `gitdir: ${relative(root, module)}\n`);
    }
    await followModules(repo, { gitDir: module, from, to });
  }
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
