/** Worktrees whose own files of git's came to harm, HEAD, the index or the whole entry: by a power cut, a full disk, a hand that slipped. */
import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { lstatIfThere, statIfThere } from "../system/files.ts";
import { git, type Place } from "./git.ts";
import {
  adminIds,
  branchIn,
  findPlace,
  foldersIn,
  isBlank,
  isMainPlace,
  namedGitDir,
  readText,
  recordedRoot,
  resolvePath,
  unreadableBranch,
} from "./place.ts";
import type { Repo } from "./repo.ts";
import { findStranger } from "./stranger.ts";

export type Damage = {
  /** What is wrong. */
  said: string;
  /** What came to harm, as far as that can be told; null where git says something else of the worktree. `entry` is all that git has of it,
   *  `link` its `.git` file, `branch` the file of the branch that it is on. */
  part: "HEAD" | "index" | "entry" | "link" | "branch" | null;
};

/** Why git cannot read a worktree; null where it can. One short process, whatever the size of the worktree. */
export async function findDamage(place: Place): Promise<Damage | null> {
  // Reads HEAD and the whole index, and names nothing.
  const { code, stderr } = await git(place, ["ls-files", "--", ":(top,literal).git"], { ok: [0, 128] });
  if (code === 0) {
    const file = unreadableBranch(place);
    return file === null ? null : { said: `the branch that it is on names no commit: ${file}`, part: "branch" };
  }
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
  if (findPlace(repo, root) !== null || lstatIfThere(file)?.isFile() !== true) return null;
  const gitDir = namedEntry(repo, root);
  if (gitDir !== null && existsSync(gitDir))
    return { said: `what git has of it does not say where it stands: ${join(gitDir, "gitdir")}`, part: "entry" };
  if (gitDir !== null) return { said: `what git had of it is gone: ${gitDir}`, part: "entry" };
  // What a link leads to may be anybody's.
  if (resolvePath(root) !== root) return null;
  if (!wasOurs || !isBlank(readText(file) ?? "")) return null;
  return { said: `what git had of it is gone, and its file ${file} is empty`, part: "entry" };
}

/** What is wrong with the `.git` file of a worktree whose entry says where it stands: nothing that keeps us from reading it, but every git that is called in it
 *  finds no repository, or one further up. Null where it is sound, and where something else stands in its place. */
export function findLostLink(repo: Repo, place: Place): Damage | null {
  if (isMainPlace(place) || statIfThere(place.root)?.isDirectory() !== true) return null;
  return findStranger(repo, place) === null ? findBrokenLink(place) : null;
}

function findBrokenLink({ root }: Place): Damage | null {
  const file = join(root, ".git");
  const stat = statIfThere(file);
  if (stat === undefined) return { said: `its file ${file} is missing`, part: "link" };
  if (!stat.isFile()) return null;
  const named = namedGitDir(root);
  if (named === null) return { said: `its file ${file} says nothing`, part: "link" };
  if (named.includes("\0") || existsSync(resolve(root, named))) return null;
  return { said: `its file ${file} names what is not there: ${named}`, part: "link" };
}

/** Folders, beside worktrees that are known, whose entry does not say any more that it is theirs. Nothing is searched where every entry says where it
 *  stands. */
export function findSilentRoots(repo: Repo): string[] {
  const entries = adminIds(repo).map((id) => join(repo.commonDir, "worktrees", id));
  const roots = entries.map(recordedRoot);
  const silent = new Set(entries.filter((_, at) => roots[at] === null));
  if (silent.size === 0) return [];
  const parents = new Set([repo.root, ...roots.filter((root) => root !== null)].map(dirname));
  const beside = [...parents].flatMap((parent) => foldersIn(parent).map((name) => join(parent, name)));
  return beside.filter((folder) => silent.has(namedEntry(repo, folder) ?? ""));
}

/** The entry of this repository that the `.git` file of a folder names, there or not. */
export function namedEntry(repo: Repo, root: string): string | null {
  const named = namedGitDir(root);
  return named !== null && join(repo.commonDir, "worktrees", basename(named)) === named ? named : null;
}
