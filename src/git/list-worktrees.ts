/** What worktrees there are. */
import { isAbsolute, join } from "node:path";
import { git, type Oid } from "./git.ts";
import { adminIds, branchIn, lockReason, recordedRoot } from "./place.ts";
import type { Repo } from "./repo.ts";

export type ListedWorktree = {
  path: string;
  head: Oid | null;
  branch: string | null;
  isMain: boolean;
  /** The lock's reason, also an empty one; null when not locked. */
  locked: string | null;
  /** Its files are gone. */
  isPrunable: boolean;
};

/** Where worktrees are, which branch is checked out in each and why it is locked, the main one first. Without a process in the ordinary layout. */
export async function listCheckouts(repo: Repo): Promise<Pick<ListedWorktree, "path" | "branch" | "locked">[]> {
  if (!repo.plainLayout) return listWorktrees(repo);
  const linked = adminIds(repo).flatMap((id) => {
    const gitDir = join(repo.commonDir, "worktrees", id);
    const path = recordedRoot(gitDir);
    return path === null ? [] : [{ path, branch: branchIn(gitDir), locked: lockReason({ gitDir }) }];
  });
  linked.sort((one, other) => (one.path < other.path ? -1 : 1));
  return [{ path: repo.root, branch: branchIn(repo.gitDir), locked: null }, ...linked];
}

/** All worktrees as git knows them, the main one first. */
export async function listWorktrees(repo: Repo): Promise<ListedWorktree[]> {
  const { stdout } = await git(repo, ["worktree", "list", "--porcelain", "-z"]);
  const entries = stdout.split("\0\0").filter((entry) => entry !== "");
  const listed = entries.map((entry, at) => parseEntry(entry.split("\0"), at === 0));
  // Of an entry that does not say where it stands, git names what it says, or its own folder.
  const own = join(repo.commonDir, "worktrees/");
  return listed.filter(({ path }) => isAbsolute(path) && !`${path}/`.startsWith(own));
}

function parseEntry(lines: string[], isMain: boolean): ListedWorktree {
  const value = (key: string): string | null => {
    const line = lines.find((text) => text === key || text.startsWith(`${key} `));
    return line === undefined ? null : line.slice(key.length + 1);
  };
  const head = value("HEAD");
  return {
    path: value("worktree") ?? "",
    head: head === null || /^0+$/.test(head) ? null : head,
    branch: value("branch")?.replace(/^refs\/heads\//, "") ?? null,
    isMain,
    locked: value("locked"),
    isPrunable: value("prunable") !== null,
  };
}
