/** Worktrees whose own files of git's came to harm, HEAD, the index or the whole entry: by a power cut, a full disk, a hand that slipped. */
import { existsSync, lstatSync } from "node:fs";
import { basename, join } from "node:path";
import { git, type Place } from "./git.ts";
import { isBlank } from "./half-made.ts";
import { branchIn, findPlace, readText } from "./place.ts";
import type { Repo } from "./repo.ts";

export type Damage = {
  /** What is wrong. */
  said: string;
  /** What came to harm, as far as that can be told; null where git says something else of the worktree. `entry` is all that git has of it. */
  part: "HEAD" | "index" | "entry" | null;
};

/** Why git cannot read a worktree; null where it can. One short process, whatever the size of the worktree. */
export async function findDamage(place: Place): Promise<Damage | null> {
  // Reads HEAD and the whole index, and names nothing.
  const { code, stderr } = await git(place, ["ls-files", "--", ":(top,literal).git"], { ok: [0, 128] });
  if (code === 0) return null;
  const said = /^fatal: (.*)$/m.exec(stderr)?.[1] ?? stderr.trim();
  const index = join(place.gitDir, "index");
  if (said.includes(index)) return { said: `its index is damaged: ${said}`, part: "index" };
  const head = join(place.gitDir, "HEAD");
  if (!existsSync(head)) return { said: `its HEAD is missing: ${head}`, part: "HEAD" };
  if (branchIn(place.gitDir) === null) return { said: `its HEAD is damaged: ${head}`, part: "HEAD" };
  return { said, part: null };
}

/** The same of a folder that is no worktree as far as git has on record: its `.git` file says that it is one of this repository, or, where `wasOurs`, nothing
 *  any more. Null for every other folder. */
export function findLostEntry(repo: Repo, root: string, wasOurs: boolean): Damage | null {
  const file = join(root, ".git");
  if (findPlace(repo, root) !== null || lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true) return null;
  const gitDir = namedEntry(repo, root);
  if (gitDir !== null && existsSync(gitDir))
    return { said: `what git has of it does not say where it stands: ${join(gitDir, "gitdir")}`, part: "entry" };
  if (gitDir !== null) return { said: `what git had of it is gone: ${gitDir}`, part: "entry" };
  if (!wasOurs || !isBlank(readText(file) ?? "")) return null;
  return { said: `what git had of it is gone, and its file ${file} is empty`, part: "entry" };
}

/** The entry of this repository that the `.git` file of a folder names, there or not. */
export function namedEntry(repo: Repo, root: string): string | null {
  const named = /^gitdir: (.*?)[\r\n]*$/s.exec(readText(join(root, ".git")) ?? "")?.[1];
  return named !== undefined && join(repo.commonDir, "worktrees", basename(named)) === named ? named : null;
}
