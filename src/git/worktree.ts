/** Creates worktrees and lists them. What a creation leaves when it is killed is half-made and redone by the next; what one leaves when it
 *  fails is nothing. */
import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { OwtError } from "../core/errors.ts";
import { addWorktree } from "./add-worktree.ts";
import { branchRef, checkedOutWhere, createBranch } from "./branch.ts";
import { readFacts } from "./facts.ts";
import { git, type Oid, type Place } from "./git.ts";
import { discardHalfMade, isBeingMade, isHalfMade } from "./half-made.ts";
import { MAKING } from "./owner.ts";
import { findPlace, isMainPlace, lockReason, readHead, readText, resolvePath } from "./place.ts";
import type { Repo } from "./repo.ts";
import { takeSparse } from "./sparse.ts";
import { fillFromSpare } from "./spare.ts";
import { findStranger } from "./stranger.ts";
import { emptyTrash, moveToTrash, openTrash } from "./trash.ts";
import { hasCode } from "../lib/has-code.ts";
import { withdrawEntry } from "./withdraw.ts";

/** Starts the reason of every lock that is ours to lift. */
const OUR_LOCK = "owt: ";

export type NewWorktree = {
  path: string;
  /** Commit that it starts from. */
  base: Oid;
  /** Branch to check out, created at `base` where it does not exist. Without one HEAD is detached. */
  branch?: string;
  /** Keeps the worktree locked against `git worktree prune` and `remove`, with this reason. */
  reason?: string;
  /** A checkout whose sparse settings it takes. Default: it has all files. */
  like?: Place;
  /** Done before the worktree counts as made: when we are killed in it, the next call starts from nothing. */
  finish?: (place: Place) => Promise<void>;
};

export type Worktree = { path: string; gitDir: string; branch: string | null; isNew: boolean };

export type CreateRefused =
  /** Something that is not this worktree is there. */
  | { refused: "path-exists"; path: string }
  /** The branch exists, and not at `base`. */
  | { refused: "branch-exists"; at: Oid }
  | { refused: "checked-out"; path: string }
  /** Another living process is making it right now. */
  | { refused: "being-made"; path: string };

/** Creates a worktree. Repeatable: an interrupted creation is redone, a finished one with the same branch is given back. When it fails,
 *  nothing is left behind, the branch included. */
export async function createWorktree(repo: Repo, want: NewWorktree): Promise<Worktree | CreateRefused> {
  if ((await readFacts(repo, want.base)) === null) throw new OwtError("usage", `not a commit: ${want.base}`);
  const root = resolvePath(want.path);
  const present = await whatIsThere(repo, root, want);
  if (present !== null) return present;
  const isOurBranch = want.branch === undefined ? false : await claimBranch(repo, want.branch, want.base);
  if (typeof isOurBranch === "object") return isOurBranch;
  const release = async (): Promise<void> => {
    if (isOurBranch) await repo.live.updateRefs([{ ref: branchRef(want.branch!), from: want.base, to: null }]);
  };
  try {
    const made = await fillWorktree(repo, root, want);
    if ("refused" in made) await release();
    return made;
  } catch (error) {
    await release();
    throw error;
  }
}

/** Everything after the branch. What it made it takes away again when it cannot finish. */
async function fillWorktree(repo: Repo, root: string, want: NewWorktree): Promise<Worktree | CreateRefused> {
  const lock = want.reason === undefined ? {} : { lock: `${OUR_LOCK}${want.reason}` };
  const place = await addWorktree(repo, root, { ...want, ...lock });
  if (place === null) return { refused: "being-made", path: root };
  try {
    const rival = want.branch === undefined ? null : await checkedOutWhere(repo, want.branch, place);
    if (rival !== null) {
      await takeAway(place);
      return { refused: "checked-out", path: rival };
    }
    if (want.like !== undefined && (await takeSparse(want.like, place)))
      await git(place, ["read-tree", "-m", "-u", "HEAD"]);
    else if (!(await fillFromSpare(repo, place)))
      await git(place, ["read-tree", "-m", "-u", "--no-sparse-checkout", "HEAD"]);
    await want.finish?.(place);
    settle(place, lock.lock);
  } catch (error) {
    await takeAway(place);
    throw error;
  }
  return { path: root, gitDir: place.gitDir, branch: want.branch ?? null, isNew: true };
}

/** Null when the way is free, after what a dead process left half-made there was cleared. */
async function whatIsThere(repo: Repo, root: string, want: NewWorktree): Promise<Worktree | CreateRefused | null> {
  const place = findPlace(repo, root);
  if (place === null) return clearRemains(repo, root) ? null : { refused: "path-exists", path: root };
  if (isMainPlace(place)) return { refused: "path-exists", path: root };
  if (isBeingMade(place)) return { refused: "being-made", path: root };
  if (isHalfMade(place)) {
    return (await discardHalfMade(repo, place)).taken ? null : { refused: "being-made", path: root };
  }
  const { branch } = await readHead(repo, place);
  if (!existsSync(root) || findStranger(repo, place) !== null || branch !== (want.branch ?? null))
    return { refused: "path-exists", path: root };
  return { path: root, gitDir: place.gitDir, branch, isNew: false };
}

/** An empty directory, or one with nothing but a `.git` file that points to an entry we never got to make; an empty one is what a kill
 *  between making and writing it leaves. */
function clearRemains(repo: Repo, root: string): boolean {
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return true;
    if (hasCode(error, "ENOTDIR")) return false;
    throw error;
  }
  if (names.length === 0) return true;
  const text = names.length === 1 ? readText(join(root, ".git")) : null;
  if (text === null) return false;
  const target = /^gitdir: (.*)\n$/s.exec(text)?.[1];
  const isNowhere =
    target !== undefined && dirname(target) === join(repo.commonDir, "worktrees") && !existsSync(target);
  if (text !== "" && !isNowhere) return false;
  rmSync(join(root, ".git"));
  return true;
}

/** True when the branch is new and ours to take back; false when it was there already at `base`. */
async function claimBranch(repo: Repo, branch: string, base: Oid): Promise<boolean | CreateRefused> {
  const made = await createBranch(repo, branch, base);
  if (made === "created") return true;
  const path = await checkedOutWhere(repo, branch);
  if (path !== null) return { refused: "checked-out", path };
  return made.exists === base ? false : { refused: "branch-exists", at: made.exists };
}

/** The last step: without it the worktree counts as half-made. One that git made for us is locked as being made. */
function settle(place: Place, lock: string | undefined): void {
  const locked = join(place.gitDir, "locked");
  if ((lockReason(place) ?? lock) !== lock) {
    if (lock === undefined) rmSync(locked, { force: true });
    else {
      writeFileSync(`${locked}.owt`, `${lock}\n`);
      renameSync(`${locked}.owt`, locked);
    }
  }
  rmSync(join(place.gitDir, MAKING), { force: true });
}

/** Whether a worktree is locked by somebody who is not us. */
export function isLockedByOthers(place: Place): boolean {
  const reason = lockReason(place);
  return reason !== null && !reason.startsWith(OUR_LOCK);
}

async function takeAway(place: Place): Promise<void> {
  const bin = openTrash(place.commonDir);
  try {
    moveToTrash(bin, place.root, "tree");
    await withdrawEntry(bin, place.gitDir).taken();
  } finally {
    await emptyTrash(bin);
  }
}
