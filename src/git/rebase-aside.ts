/** Rebases commits away from everybody's eyes: in a worktree that is there only for it, so that a conflict leaves nothing behind. */
import { OwtError } from "../core/errors.ts";
import { DEFAULT_IDENTITY, readIdentity } from "./commit.ts";
import { git, type Oid, type Place } from "./git.ts";
import type { Conflicts } from "./merge.ts";
import { inProgress, readHead } from "./place.ts";
import type { Repo } from "./repo.ts";
import { readStatus } from "./status.ts";
import { createWorktree } from "./worktree.ts";

/** The commits of `head` that `onto` lacks, upon it; merges among them stay merges. They belong to nobody until a branch is moved to them.
 *  `path` is a free place for the worktree. */
export async function rebaseAside(
  repo: Repo,
  { head, onto, path }: { head: Oid; onto: Oid; path: string },
): Promise<{ commit: Oid } | Conflicts> {
  const { name, email } = (await readIdentity(repo)) ?? DEFAULT_IDENTITY;
  let end: { commit: Oid } | Conflicts | null = null;
  const done = new Error("done");
  const finish = async (place: Place) => {
    const env = {
      GIT_COMMITTER_NAME: name,
      GIT_COMMITTER_EMAIL: email,
      GIT_EDITOR: "true",
      GIT_SEQUENCE_EDITOR: "true",
    };
    const args = ["rebase", "--quiet", "--rebase-merges", "--no-autostash", "--no-fork-point", "--empty=drop", onto];
    const out = await git(place, args, { ok: [0, 1, 128], durable: true, env });
    if (out.code === 0) end = { commit: (await readHead(repo, place)).oid! };
    else if (inProgress(place) === "rebase")
      end = { files: (await readStatus(place)).unmerged.map(({ path: file }) => file) };
    else
      throw new OwtError("tool-failed", `git rebase ${onto}: ${(out.stderr || out.stdout).trim()}`, {
        hint: "by hand: git rebase",
      });
    // It is taken away like a creation that failed: there is nothing in it that anybody would want.
    throw done;
  };
  try {
    const made = await createWorktree(repo, { path, base: head, finish });
    if ("refused" in made)
      throw new OwtError("environment", `there is no place for a rebase at ${path} (${made.refused})`, {
        hint: `move away what is there, then: owt sync`,
      });
  } catch (error) {
    if (error !== done) throw error;
  }
  return end!;
}
