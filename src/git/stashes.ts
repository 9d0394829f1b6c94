/** Stashes, which all worktrees of a repository share: each tells the branch that it was made on. */
import { readRef } from "./branch.ts";
import { git, type Oid, type Place } from "./git.ts";
import type { Repo } from "./repo.ts";

/** `name` is what git calls it just now, `about` what it says of itself. */
export type Stash = { name: string; oid: Oid; about: string };

/** Those that were made on these branches since then (epoch ms), newest first. */
export async function stashesOf(repo: Repo, branches: ReadonlySet<string>, since: number): Promise<Stash[]> {
  if ((await readRef(repo, STASH)) === null) return [];
  const all = await readStashes(repo);
  return all.flatMap(({ at, ...stash }) => {
    const branch = /^(?:WIP on|On) (.*?):/.exec(stash.about)?.[1];
    // Commits tell whole seconds.
    return branch === undefined || !branches.has(branch) || at < since - 1_000 ? [] : [stash];
  });
}

/** All of a repository, or a submodule, newest first; `at` is when each was made (epoch ms). `ok`: exit codes of git that are answers, 128 where there may be none. */
export async function readStashes(place: Place, ok: readonly number[] = [0]): Promise<(Stash & { at: number })[]> {
  const args = ["log", "-g", "-z", "--format=%ct %gd %H %gs", STASH, "--"];
  const { stdout } = await git(place, args, { ok });
  return stdout.split("\0").flatMap((entry) => {
    const [, at, number, oid, about] = /^(\d+) \S*\{(\d+)\} (\S+) (.*)$/.exec(entry) ?? [];
    return oid === undefined ? [] : [{ name: `stash@{${number}}`, oid, about: about!, at: Number(at) * 1_000 }];
  });
}

/** What each of them is an entry of. */
export const STASH = "refs/stash";
