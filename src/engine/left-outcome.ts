/** What a worktree that an agent left says of a turn that seemed to end well: work that is not where it can be taken from. */
import type { Outcome } from "../core/outcome.ts";
import type { Task } from "../core/task.ts";
import { isAncestor, isBranchName, readRef } from "../git/branch.ts";
import { committedElsewhere } from "../git/head-log.ts";
import { readTree } from "../git/commit.ts";
import type { Oid } from "../git/git.ts";
import type { Leftovers } from "../git/leftovers.ts";
import { isObject } from "../git/loose-object.ts";
import { findPlace, type Head } from "../git/place.ts";
import { type Stash, stashesOf } from "../git/stashes.ts";
import { few } from "../lib/few.ts";
import { printableNames, quotedName, shellWord } from "../lib/printable.ts";
import { readAttempts } from "../store/attempts.ts";
import type { Carried } from "./attempt-moves.ts";
import type { Engine } from "./engine.ts";

/** What stands in the way of taking the work as it is, though the agent ended well. */
export function blockedOutcome(
  { blocked, left, head, tip }: Leftovers,
  own: string,
  isConflictTurn: boolean,
): Outcome | null {
  const files = left.map((each) => each.path);
  switch (blocked) {
    case null:
      return null;
    case "unmerged":
      return isConflictTurn
        ? { kind: "conflict", files }
        : {
            kind: "failed",
            reason: `the agent left conflicts unresolved in ${printableNames(files)}`,
            missing: `your turn ended, and a merge is half done: resolve ${few(files.map(quotedName))} and commit; what is open: git status`,
          };
    case "rebase-in-progress":
      return {
        kind: "failed",
        reason: "the agent left a rebase half done",
        missing: "your turn ended, and a rebase is half done: git rebase --continue, or git rebase --abort",
      };
    case "head-elsewhere":
      return tip === null
        ? {
            kind: "failed",
            reason: `the branch ${own} is gone, and HEAD is on ${head.branch ?? head.oid ?? "nothing"}`,
            missing: `your turn ended on ${whereIs(head)}, and the branch of this task was deleted. It is there again, where it began, and only what is on it is taken${toBring(own, head)}`,
          }
        : {
            kind: "failed",
            reason: `the agent left its branch: HEAD is on ${head.branch ?? head.oid ?? "nothing"}`,
            missing: `your turn ended on ${whereIs(head)}, and only what is on this task's own branch is taken${toBring(own, head)}`,
          };
    default: {
      const never: never = blocked;
      return never;
    }
  }
}

function whereIs({ branch, oid }: Head): string {
  return branch ?? (oid === null ? "no branch" : `no branch, at ${oid.slice(0, 10)}`);
}

/** The command that brings what is committed there to the task's own branch, and what else may have been there. */
function toBring(own: string, head: Head): string {
  const uncommitted = "What was not committed there is saved, and not in this worktree any more";
  if (head.oid === null) return `: git switch ${own}, and do the work there. ${uncommitted}`;
  return `: git switch ${own} && git merge ${mergeable(head.branch, head.oid)}. ${uncommitted}`;
}

/** What git is told to merge. */
function mergeable(branch: string | null, oid: Oid): string {
  return branch === null ? oid.slice(0, 10) : shellWord(branch);
}

/** A turn that worked inside a submodule only has not changed nothing, but there is nothing of it to take either. */
export function insideOutcome(judged: Outcome, inside: string[]): Outcome {
  if (judged.kind !== "nothing_done" || inside.length === 0) return judged;
  return { kind: "failed", reason: `its work lies uncommitted inside ${printableNames(inside)} and nowhere else` };
}

/** What the agents of a task put into a stash and left there. */
export function stashesOfTask({ repo, store }: Engine, { id, startedAt }: Task): Promise<Stash[]> {
  const branches = new Set(readAttempts(store, id).map(({ branch }) => branch));
  return stashesOf(repo, branches, startedAt ?? 0);
}

/** What lies in a stash alone is no work that can be taken. Nobody but its agent knows whether it is meant: it is never popped for it. */
export function stashedOutcome(judged: Outcome, [newest]: Stash[]): Outcome {
  if (judged.kind !== "nothing_done" || newest === undefined) return judged;
  const { name, oid, about } = newest;
  return {
    kind: "failed",
    reason: `what it did lies in a stash and nowhere else (${about}): git stash apply ${oid.slice(0, 10)}`,
    missing: `your turn ended, nothing in this worktree has changed, and what you did lies in a stash (${about}): git stash pop ${name}, and commit. All worktrees share their stashes: where another came on top meanwhile, git stash list tells which is yours`,
  };
}

/** Commits that the turn made elsewhere than on the task's branch, and left there: the branch, where it is one, and the last of them. */
export type Elsewhere = { branch: string | null; tip: Oid };

/** What was committed elsewhere in this turn and is not in `head`; null where nothing was. */
export async function findElsewhere({ repo }: Engine, { attempt }: Carried, head: string): Promise<Elsewhere | null> {
  const place = findPlace(repo, attempt.worktree);
  if (place === null) return null;
  for (const { on, last } of committedElsewhere(place, attempt.branch, attempt.startedAt)) {
    // What was checked out may have been a commit, by any of its names.
    const branchTip = isBranchName(on) ? await readRef(repo, `refs/heads/${on}`) : null;
    const tip = branchTip ?? last;
    if (!(await isObject(repo, tip)) || (await isAncestor(repo, tip, head))) continue;
    // Brought home in another way: picked, or squashed.
    if ((await readTree(repo, tip)) === (await readTree(repo, head))) continue;
    return { branch: branchTip === null ? null : on, tip };
  }
  return null;
}

/** What was committed elsewhere alone can be taken only where it is brought to the task's own branch: its agent is told where it lies. */
export function elsewhereOutcome(judged: Outcome, own: string, elsewhere: Elsewhere | null): Outcome {
  if (judged.kind !== "nothing_done" || elsewhere === null) return judged;
  const { branch, tip } = elsewhere;
  const where = whereIs({ branch, oid: tip });
  return {
    kind: "failed",
    reason: `its commits lie on ${where}, and none on its own branch`,
    missing: `your turn ended on ${own}, on which nothing has changed; your commits lie on ${where}: git merge ${mergeable(branch, tip)}`,
  };
}

/** Work that left commits elsewhere is taken; nobody but its agent knows what they are. */
export function describeElsewhere({ branch, tip }: Elsewhere, own: string): string {
  return `left commits on ${whereIs({ branch, oid: tip })}, which are not part of its work: git log -p ${own}..${mergeable(branch, tip)}`;
}

/** Work that came with a stash beside it is taken; a part of it may be in there. */
export function describeStash({ oid, about }: Stash): string {
  return `left something in a stash (${about}), which is not part of its work: git stash show -p ${oid.slice(0, 10)}`;
}
