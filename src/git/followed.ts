/** What a branch follows: its upstream, as git's configuration names it. */
import { git, type Oid } from "./git.ts";
import type { Repo } from "./repo.ts";

export type Followed = {
  /** The remote's name; `.` for a branch of this repository. */
  remote: string;
  /** The ref there. */
  merge: string;
  /** Where a fetch puts it; null where none is configured for it, as of a pull request. */
  tracking: string | null;
};

/** Null where a branch follows nothing. */
export async function readFollowed(repo: Repo, branch: string): Promise<Followed | null> {
  const read = async (key: string) =>
    (await git(repo, ["config", "--get", `branch.${branch}.${key}`], { ok: [0, 1] })).stdout.trim();
  const [remote, merge] = await Promise.all([read("remote"), read("merge")]);
  if (remote === "" || merge === "") return null;
  const { stdout } = await git(repo, ["for-each-ref", "--format=%(upstream)", `refs/heads/${branch}`]);
  return { remote, merge, tracking: stdout.trim() || null };
}

/** Commits that each of two lacks of the other. */
export async function countApart(repo: Repo, ours: Oid, theirs: Oid): Promise<{ ahead: number; behind: number }> {
  const { stdout } = await git(repo, ["rev-list", "--left-right", "--count", `${ours}...${theirs}`, "--"]);
  const [ahead, behind] = stdout.trim().split("\t").map(Number);
  return { ahead: ahead!, behind: behind! };
}

/** The commit at which a branch left a ref that dropped it since (a force push); null where the ref only went on. Told by the ref's reflog. */
export async function findForkLeft(repo: Repo, ref: string, head: Oid): Promise<Oid | null> {
  const fork = await git(repo, ["merge-base", "--fork-point", ref, head], { ok: [0, 1, 128] });
  const at = fork.stdout.trim();
  if (fork.code !== 0 || at === "") return null;
  const isIn = await git(repo, ["merge-base", "--is-ancestor", at, ref], { ok: [0, 1] });
  return isIn.code === 0 ? null : at;
}
