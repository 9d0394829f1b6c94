/** What a worktree that an agent left says of a turn that seemed to end well: work that is not where it can be taken from. */
import type { Outcome } from "../core/outcome.ts";
import type { Task } from "../core/task.ts";
import { isAncestor, readRef } from "../git/branch.ts";
import { committedElsewhere } from "../git/head-log.ts";
import type { Leftovers } from "../git/leftovers.ts";
import { findPlace } from "../git/place.ts";
import { type Stash, stashesOf } from "../git/stashes.ts";
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
            reason: `the agent left conflicts unresolved in ${files.join(", ")}`,
            missing: `your turn ended, and a merge is half done: resolve ${files.join(", ")} and commit`,
          };
    case "rebase-in-progress":
      return {
        kind: "failed",
        reason: "the agent left a rebase half done",
        missing: "your turn ended, and a rebase is half done: git rebase --continue, or git rebase --abort",
      };
    case "head-elsewhere":
      if (tip === null)
        return {
          kind: "failed",
          reason: `the branch ${own} is gone, and HEAD is on ${head.branch ?? head.oid ?? "nothing"}`,
          missing: `your turn ended on ${head.branch ?? head.oid ?? "no branch"}, and the branch of this task was deleted. It is there again, where it began, and only what is on it is taken: git switch ${own}, and bring your work there`,
        };
      return {
        kind: "failed",
        reason: `the agent left its branch: HEAD is on ${head.branch ?? head.oid ?? "nothing"}`,
        missing: `your turn ended on ${head.branch ?? "no branch"}, and only what is on this task's own branch is taken: git switch ${own}, and bring your work there`,
      };
    default: {
      const never: never = blocked;
      return never;
    }
  }
}

/** A turn that worked inside a submodule only has not changed nothing, but there is nothing of it to take either. */
export function insideOutcome(judged: Outcome, inside: string[]): Outcome {
  if (judged.kind !== "nothing_done" || inside.length === 0) return judged;
  return { kind: "failed", reason: `its work lies uncommitted inside ${inside.join(", ")} and nowhere else` };
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

/** What was committed on another branch, and left there, can be taken only where it is brought to the task's own: its agent is told where it lies. */
export async function elsewhereOutcome(
  { repo }: Engine,
  { attempt }: Carried,
  judged: Outcome,
  head: string,
): Promise<Outcome> {
  const place = findPlace(repo, attempt.worktree);
  if (judged.kind !== "nothing_done" || place === null) return judged;
  for (const other of committedElsewhere(place, attempt.branch, attempt.startedAt)) {
    const tip = await readRef(repo, `refs/heads/${other}`);
    if (tip === null || (await isAncestor(repo, tip, head))) continue;
    return {
      kind: "failed",
      reason: `its commits lie on ${other}, and none on its own branch`,
      missing: `your turn ended on ${attempt.branch}, on which nothing has changed; your commits lie on ${other}: git merge ${other}`,
    };
  }
  return judged;
}

/** Work that came with a stash beside it is taken; a part of it may be in there. */
export function describeStash({ oid, about }: Stash): string {
  return `left something in a stash (${about}), which is not part of its work: git stash show -p ${oid.slice(0, 10)}`;
}
