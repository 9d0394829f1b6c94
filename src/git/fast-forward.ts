/** Moves a branch forward to a commit that contains it, with its checkout where it has one. A checkout that holds anything of its own is
 *  never touched: the refusal names what stands in the way. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { checkedOutThere, isAncestor, moveRef, readRef } from "./branch.ts";
import { git, type Oid, type Place } from "./git.ts";
import { findObstacles } from "./obstacles.ts";
import { findOverlooked, type Overlooked } from "./overlooked.ts";
import { usualMerge } from "./own-flags.ts";
import { type InProgress, inProgress, indexLock, placeAt, readHead } from "./place.ts";
import { findRefLock } from "./ref-fault.ts";
import type { Repo } from "./repo.ts";
import { readStatus } from "./status.ts";
import { findStranger } from "./stranger.ts";

export type FastForward =
  /** The branch is at `to`. `path` is the checkout that went along; null when it is checked out nowhere. */
  | { moved: true; path: string | null }
  /** The branch is not where it was said to be. */
  | { moved: false; reason: "branch-moved"; tip: Oid | null }
  /** `to` does not contain the branch. */
  | { moved: false; reason: "not-a-fast-forward"; tip: Oid }
  /** Its checkout has uncommitted changes in `files`. */
  | { moved: false; reason: "dirty"; path: string; files: string[] }
  /** Its checkout has untracked or ignored `files` that would be overwritten. */
  | { moved: false; reason: "would-overwrite"; path: string; files: string[] }
  /** Its checkout has changed `files` that git was told not to look at, and that would be overwritten. */
  | { moved: false; reason: "overlooked"; path: string; files: Overlooked[] }
  /** A merge, rebase, … is under way in its checkout. */
  | { moved: false; reason: "in-progress"; path: string; what: InProgress }
  /** Another git is at work in its checkout, or was killed there: it holds the index. */
  | { moved: false; reason: "locked"; path: string; lock: string }
  /** The folder of its checkout is gone, as that of a disk that is not there now; the worktree is locked. */
  | { moved: false; reason: "gone"; path: string }
  /** git refused; `said` is why. */
  | { moved: false; reason: "refused"; path: string; said: string };

/** Why a branch was not moved. */
export type Stay = Exclude<FastForward, { moved: true }>;

/** Why `branch`, which is at `from`, could not be fast-forwarded right now, as far as that shows before anything is done; null where nothing stands in the way. `tree`
 *  is what it is to hold; null where nobody knows that. Touches nothing. */
export async function findStay(repo: Repo, branch: string, from: Oid, tree: Oid | null): Promise<Stay | null> {
  const tip = await readRef(repo, branch);
  if (tip !== from) return { moved: false, reason: "branch-moved", tip };
  const path = await checkedOutThere(repo, branch);
  if (path === null) return null;
  const found = await findHindrance(repo, placeAt(repo, path), branch, from, tree);
  return found === "interrupted" ? null : found;
}

/** Fast-forwards `branch` from one commit to another. Repeatable. */
export async function fastForwardCheckout(repo: Repo, branch: string, from: Oid, to: Oid): Promise<FastForward> {
  const tip = await readRef(repo, branch);
  const path = await checkedOutThere(repo, branch);
  if (tip === to) return { moved: true, path };
  if (tip !== from) return { moved: false, reason: "branch-moved", tip };
  if (!(await isAncestor(repo, from, to))) return { moved: false, reason: "not-a-fast-forward", tip };
  if (path !== null) return forwardWorktree(repo, placeAt(repo, path), branch, from, to);
  if (await moveRef(repo, branch, from, to)) return { moved: true, path: null };
  return { moved: false, reason: "branch-moved", tip: await readRef(repo, branch) };
}

async function forwardWorktree(repo: Repo, place: Place, branch: string, from: Oid, to: Oid): Promise<FastForward> {
  const path = place.root;
  const found = await findHindrance(repo, place, branch, from, to);
  if (found === "interrupted") return finishForward(repo, branch, from, to, path);
  if (found !== null) return found;
  const flags = ["--ff-only", "--quiet", "--no-overwrite-ignore", "--no-stat", "--no-autostash"];
  const args = [...usualMerge(branch), "merge", ...flags, to];
  const out = await git(place, args, { ok: [0, 1, 2, 128], durable: true });
  const tip = await readRef(repo, branch);
  if (tip === to) return { moved: true, path };
  if (tip !== from) return { moved: false, reason: "branch-moved", tip };
  // git moves the files before the branch.
  if (await isInterruptedForward(place, to)) await putBack(place, to, from);
  const lock = findLock(repo, place, branch);
  if (lock !== null) return { moved: false, reason: "locked", path, lock };
  return { moved: false, reason: "refused", path, said: (out.stderr || out.stdout).trim() };
}

/** What in a checkout keeps it from going along; "interrupted" where it has gone along already, but for the ref. `to`: a commit or tree. */
async function findHindrance(
  repo: Repo,
  place: Place,
  branch: string,
  from: Oid,
  to: Oid | null,
): Promise<Stay | "interrupted" | null> {
  const path = place.root;
  if (!existsSync(path)) return { moved: false, reason: "gone", path };
  const stranger = findStranger(repo, place);
  if (stranger !== null) return { moved: false, reason: "refused", path, said: `there stands ${stranger.said}` };
  const what = inProgress(place);
  if (what !== null) return { moved: false, reason: "in-progress", path, what };
  const status = await readStatus(place);
  if (status.changes.length + status.unmerged.length > 0) {
    if (to !== null && (await isInterruptedForward(place, to))) {
      const lock = findLock(repo, place, branch);
      return lock === null ? "interrupted" : { moved: false, reason: "locked", path, lock };
    }
    return {
      moved: false,
      reason: "dirty",
      path,
      files: [...status.changes, ...status.unmerged].map((change) => change.path),
    };
  }
  const files = to === null ? [] : await findObstacles(place, from, to);
  if (files.length > 0) return { moved: false, reason: "would-overwrite", path, files };
  const overlooked = to === null ? [] : await findOverlooked(repo, place, from, to);
  if (overlooked.length > 0) return { moved: false, reason: "overlooked", path, files: overlooked };
  if ((await readHead(repo, place)).branch !== branch)
    return { moved: false, reason: "refused", path, said: "it left the branch" };
  const lock = findLock(repo, place, branch);
  return lock === null ? null : { moved: false, reason: "locked", path, lock };
}

/** What keeps git from moving a branch with its checkout. Where it is not the index that is locked it would change the files first, and then find that it cannot move the branch. */
function findLock(repo: Repo, place: Place, branch: string): string | null {
  const own = [indexLock(place), ...["HEAD.lock", "ORIG_HEAD.lock"].map((name) => join(place.gitDir, name))];
  return own.find((path) => existsSync(path)) ?? findRefLock(repo, branch)?.path ?? null;
}

/** Has a checkout be as its branch is, which did not follow. git itself refuses where anything was changed there meanwhile. */
async function putBack(place: Place, at: Oid, to: Oid): Promise<void> {
  await git(place, ["read-tree", "-m", "-u", at, to], { ok: [0, 1, 128], durable: true });
}

/** Index and files are exactly `to` already: git was killed between the files and the ref. */
async function isInterruptedForward(place: Place, to: Oid): Promise<boolean> {
  const index = await git(place, ["diff-index", "--cached", "--quiet", to, "--"], { ok: [0, 1] });
  const files = await git(place, ["diff-files", "--quiet"], { ok: [0, 1] });
  return index.code === 0 && files.code === 0;
}

async function finishForward(repo: Repo, branch: string, from: Oid, to: Oid, path: string): Promise<FastForward> {
  if (await moveRef(repo, branch, from, to)) return { moved: true, path };
  return { moved: false, reason: "branch-moved", tip: await readRef(repo, branch) };
}
