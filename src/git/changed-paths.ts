/** Which paths commits changed, many commits with one process. */
import { fieldsOf, git, type Oid } from "./git.ts";
import type { Repo } from "./repo.ts";

/** The paths in which each `to` differs from its `from`, by `to`; one that does not differ is left out. A rename is the old path and the new one. */
export async function changedPaths(
  repo: Repo,
  pairs: readonly { from: Oid; to: Oid }[],
): Promise<Map<Oid, readonly string[]>> {
  if (pairs.length === 0) return new Map();
  // A commit and another one on a line: the second stands for its parent.
  const input = pairs.map(({ from, to }) => `${to} ${from}\n`).join("");
  const { stdout } = await git(repo, ["diff-tree", "--stdin", "-r", "-z", "--name-only", "--no-renames"], { input });
  const asked = new Set(pairs.map(({ to }) => to));
  const changed = new Map<Oid, string[]>();
  let paths: string[] = [];
  for (const field of fieldsOf(stdout)) {
    if (asked.has(field)) changed.set(field, (paths = []));
    else paths.push(field);
  }
  return changed;
}
