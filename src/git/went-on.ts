/** Whether a branch only went on from a commit, as far as git's own log of it tells without a process: for who looks at many of them. */
import { join } from "node:path";
import { branchRef } from "./branch.ts";
import type { Oid } from "./git.ts";
import { readText } from "./place.ts";
import type { Repo } from "./repo.ts";

/** What git writes where it adds to a branch; what amends, rebases or resets one is written otherwise. */
const ADDS = /^(?:commit|commit \((?:merge|cherry-pick|revert)\)|merge [^:]*|pull[^:]*|cherry-pick|revert)(?::|$)/;

/** True where the branch stood at the commit, and git did nothing but add to it since; false where that is not so, or nobody can tell. */
export function onlyWentOn(repo: Repo, branch: string, from: Oid): boolean {
  if (!repo.plainLayout) return false;
  const ref = branchRef(branch);
  const moves = (readText(join(repo.commonDir, "logs", ref)) ?? "").split("\n").filter(Boolean);
  const at = moves.findLastIndex((line) => line.split(" ", 2)[1] === from);
  if (at === -1) return readText(join(repo.commonDir, ref))?.trim() === from;
  // What pulls may have rebased: that says so in brackets of its own, behind the words of the pull.
  return moves.slice(at + 1).every((line) => {
    const said = line.slice(line.indexOf("\t") + 1);
    return ADDS.test(said) && !said.includes("rebase");
  });
}
