/** Which commits were made in a worktree, told by its reflogs: where a history alone cannot tell whose a commit was. */
import { isAncestor } from "./branch.ts";
import { fieldsOf, git, type Oid } from "./git.ts";
import { findPlace } from "./place.ts";
import type { Repo } from "./repo.ts";

/** What git notes of a commit that it makes; what follows others (a fast-forward, a reset, a merge) is not among it. */
const MADE = /^(?:commit|commit \((?:initial|amend|cherry-pick|revert)\)|cherry-pick|revert|am|rebase \(.*\))(?::|$)/;

/** A rebase also ends somewhere, and begins. */
const ONLY_MOVED = /^rebase \((?:start|finish|abort|checkout)\)/;

/** Whether `head` holds a commit that was made on this branch, or in this worktree, and that `base` does not hold. */
export async function holdsMadeHere(
  repo: Repo,
  { worktree, branch, base }: { worktree: string; branch: string; base: Oid },
  head: Oid,
): Promise<boolean> {
  for (const commit of await madeHere(repo, worktree, branch))
    if (!(await isAncestor(repo, commit, base)) && (await isAncestor(repo, commit, head))) return true;
  return false;
}

/** The newest first. None where the repository keeps no reflogs. */
async function madeHere(repo: Repo, worktree: string, branch: string): Promise<Set<Oid>> {
  const place = findPlace(repo, worktree);
  const args = ["log", "-g", "-z", "--format=%H %gs"];
  const logs = [git(repo, [...args, `refs/heads/${branch}`, "--"], { ok: [0, 128] })];
  if (place !== null) logs.push(git(place, [...args, "HEAD", "--"], { ok: [0, 128] }));
  const lines = (await Promise.all(logs)).flatMap(({ stdout }) => fieldsOf(stdout));
  const entries = lines.map((line) => ({
    oid: line.slice(0, line.indexOf(" ")),
    what: line.slice(line.indexOf(" ") + 1),
  }));
  return new Set(entries.filter(({ what }) => MADE.test(what) && !ONLY_MOVED.test(what)).map(({ oid }) => oid));
}
