/** What stands at the place of a worktree and is not that worktree. Nothing is taken from it or written into it. */
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { shellWord } from "../lib/printable.ts";
import { lstatIfThere, statIfThere } from "../system/files.ts";
import type { Place } from "./git.ts";
import { countSeen, oidBytes } from "./index-file.ts";
import { isBlank, isMainPlace, lstatInside, namedGitDir, readText, resolvePath } from "./place.ts";
import type { Repo } from "./repo.ts";

/** What stands in the place of a linked worktree where that is something else: a file, a link, a repository of its own, another worktree, or a folder of
 *  which nothing says that it is the worktree. `said` has it in words; `command` says that it is the worktree all the same, where only a person can tell. */
export type Stranger = { said: string; command: string | null };

/** Null where it is the worktree, by its `.git` file, or, where that is gone, by its files; and where nothing is. */
export function findStranger(repo: Repo, place: Place): Stranger | null {
  const is = (said: string, command: string | null = null) => ({ said, command });
  if (isMainPlace(place)) return null;
  if (lstatIfThere(place.root)?.isSymbolicLink() === true || resolvePath(place.root) !== place.root)
    return is(describeLink(place.root));
  const there = statIfThere(place.root);
  if (there === undefined) return null;
  if (!there.isDirectory()) return is("a file");
  const file = join(place.root, ".git");
  if (statIfThere(file)?.isDirectory() === true) return is("a repository of its own");
  const named = namedGitDir(place.root);
  if (named?.includes("\0") === true) return null;
  const gitDir = named === null ? null : resolve(place.root, named);
  if (gitDir !== null && existsSync(gitDir))
    return resolvePath(gitDir) === resolvePath(place.gitDir) ? null : is(`the worktree of ${gitDir}`);
  // A power cut leaves it empty.
  const isTorn = existsSync(file) && isBlank(readText(file) ?? "");
  if (isTorn || holdsItsFiles(repo, place)) return null;
  const link = named === null ? "has no .git file" : "is no worktree that git knows";
  return is(
    `a folder that ${link}, and has not the files that git saw in the worktree`,
    `echo ${shellWord(`gitdir: ${place.gitDir}`)} > ${shellWord(file)}`,
  );
}

function describeLink(path: string): string {
  const to = resolvePath(path);
  return existsSync(path) ? `a link to ${to}` : `a link to what is not there (${readlinkSync(path)})`;
}

/** Whether at least half of the files that git knows in a worktree, as far as they are there, are the very ones that it saw in it: a copy of them, or what
 *  only looks alike, is not. */
function holdsItsFiles(repo: Repo, { gitDir, root }: Place): boolean {
  const index = join(gitDir, "index");
  if (statIfThere(index)?.isFile() !== true) return false;
  const { there, same } = countSeen(readFileSync(index), oidBytes(repo), (path) => lstatInside(root, path));
  return same > 0 && same * 2 >= there;
}
