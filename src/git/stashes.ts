/** Stashes, which all worktrees of a repository share: each tells the branch that it was made on. */
import { readRef } from "./branch.ts";
import { git, type Oid } from "./git.ts";
import type { Repo } from "./repo.ts";

/** `name` is what git calls it just now, `about` what it says of itself. */
export type Stash = { name: string; oid: Oid; about: string };

/** Those that were made on these branches since then (epoch ms), newest first. */
export async function stashesOf(repo: Repo, branches: ReadonlySet<string>, since: number): Promise<Stash[]> {
  if ((await readRef(repo, STASH)) === null) return [];
  const { stdout } = await git(repo, ["log", "-g", "-z", "--format=%ct %gd %H %gs", STASH, "--"]);
  return stdout.split("\0").flatMap((entry) => {
    const [, at, number, oid, about] = /^(\d+) \S*\{(\d+)\} (\S+) (.*)$/.exec(entry) ?? [];
    const branch = /^(?:WIP on|On) (.*?):/.exec(about ?? "")?.[1];
    // Commits tell whole seconds.
    if (branch === undefined || !branches.has(branch) || Number(at) * 1_000 < since - 1_000) return [];
    return [{ name: `stash@{${number}}`, oid: oid!, about: about! }];
  });
}

const STASH = "refs/stash";
